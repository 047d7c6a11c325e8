"""Get, save, delete, bulk get and transaction, as docs/api.md has them."""

import concurrent.futures
import json
import unittest

import daemon


class StateCase(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()
        self.prefix = self.id() + "/"

    def key(self, name):
        return self.prefix + name

    def put(self, name, value, **more):
        item = dict(key=self.key(name), value=value, **more)
        answer = self.kan.save([item])
        self.assertEqual(answer.status, 204, answer.body)

    def refused(self, answer, status, code, part=""):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.error(), code)
        self.assertIn(part, answer.json()["message"])


class Get(StateCase):
    def test_absent_is_204_without_a_body(self):
        answer = self.kan.get(self.key("none"))
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertNotIn("content-type", answer.headers)
        self.assertIsNone(answer.etag)

    def test_values_come_back_byte_for_byte(self):
        for value in ('{"b":1,  "a":[ ]}', "12345678901234567890", "1.50",
                      '"<&>\\u00e9\u00e9"', "null", "true", '""', "-0",
                      "1e400", '{"a":1,"a":2}'):
            with self.subTest(value=value):
                body = '[{"key":%s,"value":%s}]' % (
                    json.dumps(self.key("v")), value)
                self.assertEqual(self.kan.save(body).status, 204)
                answer = self.kan.get(self.key("v"))
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.body, value.encode())
                self.assertEqual(answer.headers["content-type"],
                                 "application/json")
                self.assertTrue(answer.etag)

    def test_keys_of_all_sorts(self):
        for name in ("a b", "a/b", "a+b", "a%2Fb", "\u00e9\u4e2d\U0001f600",
                     "?#&=", "|", ".", "..", "bulk", "transaction"):
            with self.subTest(name=name):
                self.put(name, name)
                self.assertEqual(self.kan.get(self.key(name)).json(), name)
        self.assertEqual(len(self.kan.keys(self.prefix)), 11)

    def test_unknown_store(self):
        answer = self.kan.get("k", store="nope")
        self.refused(answer, 400, "ERR_STATE_STORE_NOT_FOUND",
                     "state store nope is not found")
        self.assertEqual(answer.json()["details"], [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "domain": "dapr.io", "metadata": {"appID": "kan"},
            "reason": "DAPR_STATE_NOT_FOUND"}])

    def test_illegal_key(self):
        answer = self.kan.get("a||b")
        self.refused(answer, 400, "ERR_MALFORMED_REQUEST",
                     "input key/keyPrefix 'a||b' can't contain '||'")
        self.assertEqual(len(answer.json()["details"]), 3)

    def test_consistency(self):
        self.put("c", 1)
        for word in ("strong", "eventual", ""):
            answer = self.kan.get(self.key("c"), "?consistency=" + word)
            self.assertEqual(answer.status, 200)
        self.refused(self.kan.get(self.key("c"), "?consistency=most"), 500,
                     "ERR_STATE_GET")


class Save(StateCase):
    def test_put_is_post(self):
        answer = self.kan.ask("PUT", "/v1.0/state/statestore",
                              [{"key": self.key("a"), "value": 1}])
        self.assertEqual(answer.status, 204)
        self.assertEqual(self.kan.get(self.key("a")).json(), 1)

    def test_nothing_to_save(self):
        self.assertEqual(self.kan.save([]).status, 204)

    def test_names_case_aside_and_unknown_ones(self):
        answer = self.kan.save([{"KEY": self.key("a"), "Value": 1, "more": {}}])
        self.assertEqual(answer.status, 204)
        self.assertEqual(self.kan.get(self.key("a")).json(), 1)

    def test_no_value_is_null(self):
        self.assertEqual(self.kan.save([{"key": self.key("a")}]).status, 204)
        self.assertEqual(self.kan.get(self.key("a")).body, b"null")

    def test_bad_bodies_change_nothing(self):
        key = json.dumps(self.key("bad"))
        good = '{"key":%s,"value":1}' % key
        bodies = ["", "{}", "null", "7", good, "[" + good, "[%s]x" % good,
                  "[%s][]" % good, "[%s,]" % good, '[{"key":%s,"value":01}]' % key,
                  "[%s,1]" % good, "[%s,null]" % good, '[%s,{"key":""}]' % good,
                  '[%s,{"key":1}]' % good, '[{"key":%s,"etag":1}]' % key,
                  '[{"key":%s,"metadata":{"a":1}}]' % key,
                  '[{"key":%s,"metadata":7}]' % key,
                  '[{"key":%s,"options":[]}]' % key,
                  '[%s,{"key":"a||b"}]' % good,
                  '[%s,{"key":"%s"}]' % (good, "k" * 1025),
                  '[{"key":%s,"value":%s}]' % (key, "[" * 500 + "]" * 500),
                  b'[{"key":' + key.encode() + b',"value":"\xff"}]',
                  b'[{"key":' + key.encode() + b',"value":"\xed\xa0\x80"}]',
                  '[{"key":%s,"value":"\\ud800"}]' % key,
                  "[" + ",".join([good] * 1025) + "]",
                  "[" + ",".join("1" * 100000) + "]"]
        for body in bodies:
            with self.subTest(body=body[:80]):
                self.refused(self.kan.save(body), 400, "ERR_MALFORMED_REQUEST")
                self.assertEqual(self.kan.get(self.key("bad")).status, 204)

    def test_key_is_a_required_field(self):
        self.refused(self.kan.save([{"value": 1}]), 400,
                     "ERR_MALFORMED_REQUEST", '"key" is a required field')

    def test_unknown_words_are_500(self):
        for options in ({"concurrency": "x"}, {"consistency": "x"}):
            answer = self.kan.save([{"key": self.key("w"), "options": options}])
            self.refused(answer, 500, "ERR_STATE_SAVE",
                         "failed saving state in state store statestore: ")
        answer = self.kan.save([{"key": self.key("w"),
                                 "metadata": {"ttlInSeconds": "1h"}}])
        self.refused(answer, 500, "ERR_STATE_SAVE")
        self.assertEqual(self.kan.get(self.key("w")).status, 204)

    def test_store_before_body(self):
        self.refused(self.kan.save("", store="nope"), 400,
                     "ERR_STATE_STORE_NOT_FOUND")

    def test_many_items(self):
        items = [{"key": self.key("%04d" % n), "value": n} for n in range(1024)]
        self.assertEqual(self.kan.save(items).status, 204)
        self.assertEqual(self.kan.keys(self.prefix, limit=100),
                         [item["key"] for item in items])

    def test_a_large_value(self):
        self.put("large", "x" * (1 << 20))
        self.assertEqual(len(self.kan.get(self.key("large")).json()), 1 << 20)

    def test_too_large_a_body(self):
        answer = self.kan.save(b" " * (5 << 20))
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.error(), "ERR_BODY_READ")

    def test_time_to_live(self):
        self.put("t", 1, metadata={"ttlInSeconds": "1"})
        answer = self.kan.get(self.key("t"))
        self.assertRegex(answer.headers["metadata.ttlexpiretime"],
                         r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        daemon.wait_for(lambda: self.kan.get(self.key("t")).status == 204)

    def test_time_to_live_of_the_query_wins(self):
        item = {"key": self.key("t"), "value": 1,
                "metadata": {"ttlInSeconds": "1"}}
        self.assertEqual(
            self.kan.save([item], "?metadata.ttlInSeconds=-1").status, 204)
        self.assertNotIn("metadata.ttlexpiretime",
                         self.kan.get(self.key("t")).headers)


class Etags(StateCase):
    def test_compare_and_set(self):
        self.put("a", 1)
        first = self.kan.get(self.key("a")).etag
        self.put("a", 2, etag=first)
        second = self.kan.get(self.key("a")).etag
        self.assertNotEqual(first, second)
        answer = self.kan.save([{"key": self.key("a"), "value": 3,
                                 "etag": first}])
        self.refused(answer, 409, "ERR_STATE_SAVE", "failed saving state in "
                     "state store statestore: possible etag mismatch. error "
                     "from state store: ")
        self.assertEqual(self.kan.get(self.key("a")).json(), 2)

    def test_last_write_ignores_the_etag(self):
        self.put("a", 1)
        self.put("a", 2, etag="999999999",
                 options={"concurrency": "last-write"})
        self.assertEqual(self.kan.get(self.key("a")).json(), 2)

    def test_first_write(self):
        first = {"concurrency": "first-write"}
        self.put("a", 1, options=first)
        answer = self.kan.save([{"key": self.key("a"), "value": 2,
                                 "options": first}])
        self.refused(answer, 409, "ERR_STATE_SAVE")
        self.assertEqual(self.kan.get(self.key("a")).json(), 1)

    def test_no_etag_of_ours(self):
        answer = self.kan.save([{"key": self.key("a"), "etag": "abc"}])
        self.refused(answer, 400, "ERR_STATE_SAVE", "invalid etag value: ")

    def test_delete(self):
        self.put("a", 1)
        etag = self.kan.get(self.key("a")).etag
        self.refused(self.kan.delete(self.key("a"), "999999999"), 409,
                     "ERR_STATE_DELETE", "failed deleting state with key "
                     + self.key("a") + ": possible etag mismatch.")
        self.refused(self.kan.delete(self.key("a"), "x"), 400,
                     "ERR_STATE_DELETE", "invalid etag value: ")
        self.assertEqual(self.kan.delete(self.key("a"), etag).status, 204)
        self.assertEqual(self.kan.get(self.key("a")).status, 204)
        self.assertEqual(self.kan.delete(self.key("a")).status, 204)

    def test_counting_together_loses_nothing(self):
        self.put("n", 0)

        def count(times):
            connection = self.kan.connect()
            for _ in range(times):
                while True:
                    now = self.kan.get(self.key("n"), connection=connection)
                    item = {"key": self.key("n"), "value": now.json() + 1,
                            "etag": now.etag}
                    answer = self.kan.save([item], connection=connection)
                    if answer.status == 204:
                        break
                    self.assertEqual(answer.status, 409)
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(count, 25) for _ in range(8)]:
                done.result()
        self.assertEqual(self.kan.get(self.key("n")).json(), 200)


class Bulk(StateCase):
    def test_bulk_get(self):
        self.put("a", {"x": 1})
        self.put("t", 1, metadata={"ttlInSeconds": "3600"})
        names = [self.key(name) for name in ("t", "none", "a")]
        answer = self.kan.bulk(names)
        self.assertEqual(answer.status, 200)
        found = answer.json()
        self.assertEqual([item["key"] for item in found], names)
        self.assertIn("ttlExpireTime", found[0]["metadata"])
        self.assertEqual(found[1], {"key": self.key("none")})
        self.assertEqual(found[2], {"key": self.key("a"), "data": {"x": 1},
                                    "etag": self.kan.get(self.key("a")).etag})

    def test_nothing_asked(self):
        answer = self.kan.bulk([])
        self.assertEqual((answer.status, answer.json()), (200, []))

    def test_bad_requests(self):
        path = "/v1.0/state/statestore/bulk"
        for body in ("", "[]", '{"keys":"a"}', '{"keys":[1]}', '{"keys":[""]}',
                     '{"keys":["a||b"]}', '{"keys":[],"parallelism":"1"}',
                     json.dumps({"keys": ["k"] * 1025})):
            with self.subTest(body=body[:40]):
                self.refused(self.kan.ask("POST", path, body), 400,
                             "ERR_MALFORMED_REQUEST")


class Transaction(StateCase):
    def upsert(self, name, value, **more):
        return {"operation": "upsert",
                "request": dict(key=self.key(name), value=value, **more)}

    def remove(self, name, **more):
        return {"operation": "delete",
                "request": dict(key=self.key(name), **more)}

    def test_all_or_nothing(self):
        self.put("a", 1)
        answer = self.kan.transaction([self.upsert("b", 2), self.remove("a")])
        self.assertEqual(answer.status, 204)
        self.assertEqual(self.kan.get(self.key("a")).status, 204)
        b = self.kan.get(self.key("b"))
        answer = self.kan.transaction(
            [self.upsert("c", 3), self.upsert("b", 4, etag="999999999")])
        self.refused(answer, 500, "ERR_STATE_TRANSACTION",
                     "error while executing state transaction: ")
        self.assertEqual(self.kan.get(self.key("c")).status, 204)
        self.assertEqual(self.kan.get(self.key("b")).json(), 2)
        answer = self.kan.transaction(
            [self.upsert("c", 3), self.upsert("b", 4, etag=b.etag)])
        self.assertEqual(answer.status, 204)
        both = self.kan.bulk([self.key("b"), self.key("c")]).json()
        self.assertEqual(both[0]["etag"], both[1]["etag"])

    def test_nothing_to_do(self):
        self.assertEqual(self.kan.transaction([]).status, 204)
        self.assertEqual(self.kan.transaction([], metadata=None).status, 204)

    def test_bad_operations_change_nothing(self):
        for bad, code in (
                ({"operation": "merge", "request": {"key": "k"}},
                 "ERR_NOT_SUPPORTED_STATE_OPERATION"),
                ({}, "ERR_NOT_SUPPORTED_STATE_OPERATION"),
                ({"operation": "upsert"}, "ERR_MALFORMED_REQUEST"),
                ({"operation": "delete", "request": {"key": ""}},
                 "ERR_MALFORMED_REQUEST"),
                ({"operation": "upsert", "request": {"key": "k", "etag": 1}},
                 "ERR_MALFORMED_REQUEST")):
            with self.subTest(bad=bad):
                answer = self.kan.transaction([self.upsert("x", 1), bad])
                self.refused(answer, 400, code)
                self.assertEqual(self.kan.get(self.key("x")).status, 204)

    def test_too_many(self):
        answer = self.kan.transaction([self.upsert("x", 1)] * 1025)
        self.refused(answer, 400, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS",
                     "the transaction contains 1025 operations")
        self.assertEqual(answer.json()["details"][0]["metadata"]
                         ["currentOpsTransaction"], "1025")


class List(StateCase):
    def test_pages(self):
        names = ["p/%03d" % n for n in range(25)]
        self.kan.save([{"key": self.key(name)} for name in names])
        self.put("q", 1)
        for limit in (1, 7, 25, 1000):
            self.assertEqual(self.kan.keys(self.key("p/"), limit=limit),
                             [self.key(name) for name in names])
        answer = self.kan.ask("GET", "/kan/v1/state/statestore?limit=1&prefix="
                              + self.key("q"))
        self.assertEqual(answer.json(), {"keys": [
            {"key": self.key("q"), "etag": self.kan.get(self.key("q")).etag}]})

    def test_bad_limits(self):
        for limit in ("0", "1001", "-1", "x", ""):
            answer = self.kan.ask(
                "GET", "/kan/v1/state/statestore?limit=" + limit)
            self.refused(answer, 400, "ERR_BAD_REQUEST", "limit")

    def test_unknown_store(self):
        self.refused(self.kan.ask("GET", "/kan/v1/state/nope"), 400,
                     "ERR_STATE_STORE_NOT_FOUND")


class Query(StateCase):
    def test_no_store_can_query(self):
        answer = self.kan.ask("POST", "/v1.0-alpha1/state/statestore/query",
                              {"filter": {}})
        self.refused(answer, 500, "ERR_STATE_STORE_NOT_SUPPORTED",
                     "state store does not support querying")
