"""Component files: which stores there are, and what is wrong with a file."""

import os

from program import Case


def component(name, kind, more="", **items):
    """The text of one; items are its settings, more what stands beside
    spec."""
    text = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: %s
%sspec:
  type: %s
  version: v1
  metadata:
""" % (name, more, kind)
    for key, value in items.items():
        text += "  - name: %s\n    value: %s\n" % (key, value)
    return text


class Stores(Case):
    def test_in_memory_and_in_a_file(self):
        self.write("res/a.yaml", component("fast", "state.in-memory"))
        self.write("res/b.yml", component("safe", "state.sqlite",
                                          path="data/own.db"))
        os.mkdir(self.path("data"))
        kan = self.kan("--resources-path", "res")
        self.assertIn("state: fast in memory, safe in data/own.db", kan.ready)
        found = {one["name"]: one for one in kan.metadata()["components"]}
        self.assertEqual(sorted(found), ["fast", "safe"])
        self.assertEqual(found["safe"]["type"], "state.sqlite")
        for store in ("fast", "safe"):
            self.assertIn("TRANSACTIONAL", found[store]["capabilities"])
            kan.keep("k", store, store)
        for store in ("fast", "safe"):
            self.assertEqual(kan.value("k", store), store)
        self.assertEqual(kan.get("k").error(), "ERR_STATE_STORE_NOT_FOUND")
        self.assertFalse(os.path.exists(self.path("data/kan.db")))
        kan.end()
        again = self.kan("--resources-path", "res")
        self.assertEqual(again.value("k", "safe"), "safe")
        self.assertIsNone(again.value("k", "fast"))

    def test_lock_stores(self):
        """One shares the file of the state, one has its own, one has none."""
        os.mkdir(self.path("data"))
        self.write("res/a.yaml", "---\n".join((
            component("state", "state.sqlite", path="data/one.db"),
            component("same", "lock.sqlite", path="data/one.db"),
            component("own", "lock.sqlite", keyPrefix="none"),
            component("gone", "lock.in-memory"))))
        kan = self.kan("--resources-path", "res")
        self.assertIn("; locks: same in data/one.db, own in data/own.db, gone "
                      "in memory;", kan.ready)
        found = {one["name"]: one["type"]
                 for one in kan.metadata()["components"]}
        self.assertEqual(found["own"], "lock.sqlite")
        self.assertEqual(found["gone"], "lock.in-memory")
        body = {"resourceId": "r", "lockOwner": "o", "expiryInSeconds": 60}
        for store in ("same", "own", "gone"):
            said = [kan.ask("POST", "/v1.0-alpha1/lock/" + store, body).json()
                    for _ in range(2)]
            self.assertEqual(said, [{"success": True}, {"success": False}])
        kan.end()
        again = self.kan("--resources-path", "res")
        said = [again.ask("POST", "/v1.0-alpha1/lock/" + store, body).json()
                ["success"] for store in ("same", "own", "gone")]
        self.assertEqual(said, [False, False, True])

    def test_a_wrong_lock_store(self):
        for name, kind, items, part in (
                ("a", "lock.sqlite", {"keyPrefx": "x"},
                 "lock.sqlite has no setting 'keyPrefx'; did you mean "
                 "'keyPrefix'?"),
                ("a", "lock.in-memory", {"actorStateStore": "true"},
                 "lock.in-memory has no setting 'actorStateStore'"),
                ("a", "lock.sqlite", {"path": "':memory:'"},
                 "for memory use the type lock.in-memory"),
                ("'a||b'", "lock.sqlite", {}, "must not contain ||"),
                ("n" * 256, "lock.sqlite", {}, "at most 255 bytes")):
            self.write("res/a.yaml", component(name, kind, **items))
            self.refuse(["run", "-H", "0", "--resources-path", "res"],
                        "res/a.yaml:", part)

    def test_a_file_without_a_path_is_named_after_the_store(self):
        self.write("res/a.yaml", component("orders", "state.sqlite"))
        self.kan("-d", "res").keep("k", 1, "orders")
        self.assertTrue(os.path.exists(self.path("data/orders.db")))

    def test_several_directories_and_documents(self):
        self.write("one/a.yaml", "---\n".join(
            component(name, "state.in-memory") for name in ("a", "b")))
        self.write("two/c.yaml", component("c", "state.in-memory"))
        self.write("two/notes.txt", "no: [yaml")
        self.write("two/below/d.yaml", "no: [yaml")
        kan = self.kan("--resources-path", "one", "--resources-path", "two")
        for store in "abc":
            kan.keep("k", store, store)

    def test_scopes(self):
        self.write("res/a.yaml",
                   component("ours", "state.in-memory",
                             "scopes: [orders, other]\n") + "---\n" +
                   component("theirs", "state.in-memory",
                             "scopes:\n- other\n"))
        kan = self.kan("--resources-path", "res", "--app-id", "orders")
        kan.keep("k", 1, "ours")
        answer = kan.save("k", 1, "theirs")
        self.assertEqual((answer.status, answer.error()),
                         (400, "ERR_STATE_STORE_NOT_FOUND"))

    def test_a_prefix_shared_by_two_apps(self):
        for prefix, shared in (("none", True), ("name", True),
                               ("Name", True), ("own-text", True),
                               ("appid", False), ("namespace", False)):
            with self.subTest(prefix=prefix):
                self.write("res/a.yaml", component(
                    "s", "state.sqlite", path=prefix + ".db",
                    keyPrefix=prefix))
                one = self.kan("--resources-path", "res", "-a", "one")
                one.keep("k", prefix, "s")
                one.end()
                two = self.kan("--resources-path", "res", "-a", "two")
                self.assertEqual(two.value("k", "s"),
                                 prefix if shared else None)
                two.end()

    def test_two_stores_on_one_file(self):
        same = "data/same.db"
        os.mkdir(self.path("data"))
        self.write("res/a.yaml", "---\n".join((
            component("a", "state.sqlite", path=same, keyPrefix="none"),
            component("b", "state.sqlite", path=same, keyPrefix="none"),
            component("c", "state.sqlite", path=same))))
        kan = self.kan("--resources-path", "res")
        kan.keep("k", 1, "a")
        self.assertEqual((kan.value("k", "b"), kan.value("k", "c")), (1, None))

    def test_templates_and_variables(self):
        self.write("res/a.yaml",
                   component("s", "state.sqlite", path="'{appID}.db'") +
                   "  - name: keyPrefix\n    envRef: OUR_PREFIX\n")
        kan = self.kan("--resources-path", "res", "-a", "orders",
                       env={"OUR_PREFIX": "none"})
        kan.keep("k", 1, "s")
        kan.end()
        self.assertTrue(os.path.exists(self.path("orders.db")))
        other = self.kan("--resources-path", "res", "-a", "orders")
        self.assertIsNone(other.value("k", "s"))

    def test_no_stores(self):
        os.mkdir(self.path("res"))
        kan = self.kan("--resources-path", "res")
        self.assertNotIn("curl", kan.ready)
        for answer in (kan.get("k"), kan.save("k", 1)):
            self.assertEqual((answer.status, answer.error()),
                             (500, "ERR_STATE_STORE_NOT_CONFIGURED"))
        self.assertNotIn("components", kan.metadata())
        self.assertEqual(kan.ask("GET", "/v1.0/healthz").status, 204)


class Skipped(Case):
    def test_foreign_kinds_are_noted(self):
        self.write("res/a.yaml", "---\n".join((
            component("mine", "state.in-memory"),
            component("theirs", "state.redis", redisHost="localhost:6379"),
            "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n"
            "  name: rules\nspec: {policies: {}}\n")))
        kan = self.kan("--resources-path", "res")
        kan.keep("k", 1, "mine")
        self.assertRegex(kan.log(), "level=warn .*skipped.*res/a.yaml.*"
                         "state.redis")
        self.assertRegex(kan.log(), "level=warn .*skipped.*Resiliency")
        self.assertEqual(
            kan.metadata()["extended"]["kanSkippedComponents"],
            "theirs (state.redis), rules (Resiliency)")

    def test_errors_may_be_ignored(self):
        text = component("bad", "state.sqlite", path="nowhere/below/x.db")
        text = text.replace("  version: v1\n",
                            "  version: v1\n  ignoreErrors: true\n")
        self.write("res/a.yaml", text + "---\n" +
                   component("good", "state.in-memory"))
        kan = self.kan("--resources-path", "res")
        self.assertRegex(kan.log(), "level=error .*bad")
        kan.keep("k", 1, "good")
        self.assertEqual(kan.get("k", "bad").status, 400)

    def test_settings_without_effect_are_noted(self):
        self.write("res/a.yaml", component(
            "s", "state.sqlite", cleanupInterval="1h", path="s.db"))
        kan = self.kan("--resources-path", "res")
        self.assertRegex(kan.log(), "level=warn .*no effect.*cleanupInterval")


class Wrong(Case):
    def wrong(self, text, *parts):
        self.write("res/stores.yaml", text)
        with self.subTest(text=text[-80:]):
            self.refuse(["run", "-H", "0", "--data-dir", "data",
                         "--resources-path", "res"], *parts)

    def test_keys(self):
        good = component("s", "state.sqlite", path="s.db")
        self.wrong(component("s", "state.sqlite", path="s.db", keyPrefx="x"),
                   "res/stores.yaml:11: ", "'keyPrefx'",
                   "did you mean 'keyPrefix'?")
        self.wrong(component("s", "state.in-memory", path="s.db"),
                   "res/stores.yaml:9: ", "'path'")
        self.wrong(good.replace("version:", "verzion:"),
                   "res/stores.yaml:7: ", "did you mean 'version'?")
        self.wrong(good + "scope: [a]\n", "res/stores.yaml:11: ", "'scopes'")
        self.wrong(good.replace("  name: s\n", "  nam: s\n"),
                   "res/stores.yaml:4: ", "'name'")
        self.wrong(good.replace("  type: state.sqlite\n", ""),
                   "res/stores.yaml:1: ", "spec.type is missing")

    def test_values(self):
        for items, part in (
                ({"path": "':memory:'"}, "state.in-memory"),
                ({"path": "''"}, "needs a file"),
                ({"path": "[a]"}, "scalar"),
                ({"actorStateStore": "perhaps"}, "true or false"),
                ({"keyPrefix": "'a||b'"}, "||"),
                ({"path": "'{podName}.db'"}, "{podName}")):
            self.wrong(component("s", "state.sqlite", **items),
                       "res/stores.yaml:", part)
        self.wrong(component("s", "state.sqlite") +
                   "  - name: path\n    secretKeyRef: {name: a}\n",
                   "res/stores.yaml:", "secret")

    def test_yaml(self):
        self.wrong("a: [b\n", "res/stores.yaml", "line")
        self.wrong("- a\n- b\n", "res/stores.yaml:1: ", "resource")
        self.wrong("a: &x 1\nb: *x\n", "res/stores.yaml", "alias")
        self.wrong("a: 1\na: 2\n", "res/stores.yaml", "twice")
        self.wrong("[" * 1000, "res/stores.yaml")

    def test_names(self):
        one = component("s", "state.in-memory")
        self.wrong(one + "---\n" + one, "res/stores.yaml:", "two", "'s'")
        self.wrong(component("a/b", "state.in-memory"), "a/b")
        self.write("other/b.yaml", one)
        self.write("res/stores.yaml", one)
        self.refuse(["run", "--resources-path", "other", "--resources-path",
                     "res"], "res/stores.yaml:", "'s'")

    def test_a_file_that_cannot_be_read(self):
        os.makedirs(self.path("res/dir.yaml"))
        self.refuse(["run", "--resources-path", "res"], "res/dir.yaml")
        os.rmdir(self.path("res/dir.yaml"))
        os.symlink("nowhere", self.path("res/link.yaml"))
        self.refuse(["run", "--resources-path", "res"], "res/link.yaml",
                    "not there")

    def test_a_store_that_cannot_be_opened(self):
        self.wrong(component("s", "state.sqlite", path="nowhere/s.db"),
                   "nowhere/s.db")
        self.write("text.db", "not an SQLite database, but long enough" * 99)
        self.wrong(component("s", "state.sqlite", path="text.db"), "text.db",
                   "not a Kan store")

    def test_a_file_that_another_has(self):
        self.write("res/stores.yaml",
                   component("s", "state.sqlite", path="s.db"))
        kan = self.kan("--resources-path", "res")
        self.refuse(["run", "-H", "0", "--resources-path", "res"],
                    "process %d" % kan.pid, str(kan.port))
