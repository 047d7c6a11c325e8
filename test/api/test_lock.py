"""Locks over the wire: Dapr's calls, waiting in line, renewal, notice of loss,
fences, and what a crash leaves."""

import concurrent.futures
import json
import os
import tempfile
import threading
import unittest

import daemon

TRY, UNLOCK = "/v1.0-alpha1/lock/", "/v1.0-alpha1/unlock/"

COMPONENT = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: %s}
spec:
  type: %s
  version: v1
  metadata: [%s]
"""


class Locks:
    """Calls on one lock store of a daemon."""

    def __init__(self, kan, store="lockstore"):
        self.kan, self.store = kan, store

    def try_lock(self, resource, owner="o", seconds=60):
        """The token, or None."""
        answer = self.kan.ask("POST", TRY + self.store, {
            "resourceId": resource, "lockOwner": owner,
            "expiryInSeconds": seconds})
        assert answer.status == 200, answer.body
        token = answer.headers.get("kan-fencing-token")
        assert answer.json() == {"success": token is not None}, answer.body
        return token and int(token)

    def unlock(self, resource, owner="o"):
        answer = self.kan.ask("POST", UNLOCK + self.store,
                              {"resourceId": resource, "lockOwner": owner})
        assert answer.status == 200, answer.body
        return answer.json()["status"]

    def acquire(self, resource, owner="o", expiry=60000, wait=0, **more):
        return self.kan.ask("POST", "/kan/v1/lock/" + self.store, {
            "resourceId": resource, "lockOwner": owner, "expiryMs": expiry,
            "waitMs": wait}, **more)

    def renew(self, resource, token, expiry):
        return self.kan.ask("POST", "/kan/v1/renew/" + self.store, {
            "resourceId": resource, "token": str(token),
            "expiryMs": expiry}).json()

    def watch(self, resource, token, wait):
        return self.kan.ask("GET", "/kan/v1/lock/%s/%s?token=%d&waitMs=%d" % (
            self.store, resource, token, wait))

    def metric(self, name):
        text = self.kan.ask("GET", "/metrics").body.decode()
        start = '%s{store="%s"} ' % (name, self.store)
        return int([line[len(start):] for line in text.split("\n")
                    if line.startswith(start)][0])


class Dapr(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()
        self.locks = Locks(self.kan)

    def test_try_and_unlock(self):
        first = self.locks.try_lock("dapr")
        self.assertIsNotNone(first)
        self.assertIsNone(self.locks.try_lock("dapr"))
        self.assertIsNone(self.locks.try_lock("dapr", "other"))
        self.assertEqual(self.locks.unlock("dapr", "other"), 2)
        self.assertEqual(self.locks.unlock("dapr"), 0)
        self.assertEqual(self.locks.unlock("dapr"), 1)
        self.assertGreater(self.locks.try_lock("dapr", "other"), first)

    def test_bodies_byte_for_byte(self):
        body = {"resourceId": "bytes", "lockOwner": "o", "expiryInSeconds": 9}
        for said in (b'{"success":true}', b'{"success":false}'):
            answer = self.kan.ask("POST", TRY + "lockstore", body)
            self.assertEqual(answer.body, said)
            self.assertEqual(answer.headers["content-type"],
                             "application/json")
        for said in (b'{"status":0}', b'{"status":1}'):
            self.assertEqual(self.kan.ask("POST", UNLOCK + "lockstore",
                                          body).body, said)

    def test_order_of_checks(self):
        """Each row repairs what was wrong in the one before."""
        rows = [("none", {}, 400, "ERR_MALFORMED_REQUEST",
                 "ExpiryInSeconds is not positive in lock store none"),
                ("none", {"expiryInSeconds": 1}, 400, "ERR_MALFORMED_REQUEST",
                 "ResourceId is empty in lock store none"),
                ("none", {"resourceId": "a||b"}, 400, "ERR_MALFORMED_REQUEST",
                 "LockOwner is empty in lock store none"),
                ("none", {"lockOwner": "o"}, 400, "ERR_LOCK_STORE_NOT_FOUND",
                 "lock store none not found"),
                ("lockstore", {}, 500, "ERR_TRY_LOCK",
                 "failed to try acquiring lock: input key/keyPrefix 'a||b' "
                 "can't contain '||'")]
        body = {}
        for store, more, status, code, message in rows:
            body.update(more)
            answer = self.kan.ask("POST", TRY + store, body)
            self.assertEqual((answer.status, answer.json()), (
                status, {"errorCode": code, "message": message}))

    def test_without_a_lock_store(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "a.yaml"), "w") as file:
                file.write(COMPONENT % ("s", "state.in-memory", ""))
            with daemon.Daemon("--resources-path", folder) as kan:
                body = {"resourceId": "r", "lockOwner": "o",
                        "expiryInSeconds": 1}
                for path in (TRY, UNLOCK, "/kan/v1/lock/"):
                    answer = kan.ask("POST", path + "lockstore", body)
                    self.assertEqual((answer.status, answer.json()), (500, {
                        "errorCode": "ERR_LOCK_STORE_NOT_CONFIGURED",
                        "message": "lock store is not configured"}))

    def test_metadata_lists_it(self):
        found = self.kan.ask("GET", "/v1.0/metadata").json()["components"]
        self.assertIn({"name": "lockstore", "type": "lock.sqlite",
                       "version": "v1", "capabilities": []}, found)


class Own(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()
        self.locks = Locks(self.kan)

    def test_waiters_are_served_in_order(self):
        """Each in line holds for a moment; nobody overtakes, nobody overlaps."""
        held = self.locks.try_lock("line")
        order, tokens, inside, lock = [], [], [], threading.Lock()

        def wait(number):
            answer = self.locks.acquire("line", "w%d" % number, wait=20000)
            got = answer.json()
            self.assertEqual(got["success"], True)
            with lock:
                self.assertEqual(inside, [])
                inside.append(number)
                order.append(number)
                tokens.append(int(got["token"]))
            with lock:
                inside.remove(number)
            self.kan.ask("POST", "/kan/v1/unlock/lockstore",
                         {"resourceId": "line", "token": got["token"]})

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            running = []
            for number in range(6):
                running.append(pool.submit(wait, number))
                daemon.wait_for(lambda: self.locks.metric(
                    "kan_lock_waiting") == len(running))
            self.assertEqual(self.locks.unlock("line"), 0)
            for one in running:
                one.result(30)
        self.assertEqual(order, list(range(6)))
        self.assertEqual(tokens, sorted(tokens))
        self.assertGreater(tokens[0], held)

    def test_a_wait_ends(self):
        self.locks.try_lock("busy")
        answer = self.locks.acquire("busy", "w", wait=50)
        self.assertEqual((answer.status, answer.body),
                         (200, b'{"success":false}'))

    def test_renew(self):
        token = int(self.locks.acquire("renew", expiry=1000).json()["token"])
        got = self.locks.renew("renew", token, 60000)
        self.assertEqual((got["success"], got["token"]), (True, str(token)))
        self.assertGreater(got["expiresInMs"], 50000)
        self.assertEqual(self.locks.renew("renew", token + 1, 60000),
                         {"success": False, "status": 2})
        self.assertEqual(self.locks.watch("renew", token, 0).status, 204)
        self.locks.unlock("renew")
        self.assertEqual(self.locks.renew("renew", token, 60000),
                         {"success": False, "status": 1})

    def test_notice_of_loss(self):
        token = self.locks.try_lock("watched", seconds=60)
        self.assertEqual(self.locks.watch("watched", token, 50).status, 204)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            told = pool.submit(self.locks.watch, "watched", token, 30000)
            self.locks.unlock("watched")
            self.assertEqual(told.result(20).json(), {"lost": True})
        # By the end of its lease, too.
        token = self.locks.try_lock("watched", seconds=1)
        self.assertEqual(self.locks.watch("watched", token, 30000).json(),
                         {"lost": True})

    def test_a_client_that_goes_away_gets_nothing(self):
        token = self.locks.try_lock("left")
        connection = self.kan.connect()
        connection.request("POST", "/kan/v1/lock/lockstore", json.dumps({
            "resourceId": "left", "lockOwner": "gone", "expiryMs": 60000,
            "waitMs": 60000}))
        daemon.wait_for(lambda: self.locks.metric("kan_lock_waiting") == 1)
        connection.close()
        daemon.wait_for(lambda: self.locks.metric("kan_lock_waiting") == 0)
        self.assertEqual(self.locks.unlock("left"), 0)
        self.assertGreater(self.locks.try_lock("left", "next"), token)

    def test_a_waiter_does_not_hold_up_the_end(self):
        with daemon.Daemon() as kan:
            locks = Locks(kan)
            locks.try_lock("r")
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                waits = [pool.submit(locks.acquire, "r", "w", wait=60000),
                         pool.submit(locks.watch, "r", 1, 60000)]
                daemon.wait_for(
                    lambda: locks.metric("kan_lock_waiting") == 1)
                self.assertEqual(kan.end(), 0)
                for one in waits:
                    try:
                        self.assertIn(one.result(10).status, (204, 500))
                    except ConnectionError:
                        pass  # it came after the door was closed


class Fence(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()
        self.locks = Locks(self.kan)

    def value(self, key):
        return self.kan.get(key).json()

    def fenced(self, key, value, fence):
        return self.kan.save([{"key": key, "value": value,
                               "metadata": {"fence": fence}}])

    def test_save_delete_and_transaction(self):
        token = self.locks.try_lock("f/1")
        good, bad = ("lockstore/f/1/%d" % n for n in (token, token + 1))
        self.assertEqual(self.fenced("fence", 1, good).status, 204)
        refused = self.fenced("fence", 2, bad)
        self.assertEqual((refused.status, refused.error()),
                         (409, "ERR_STATE_SAVE"))
        self.assertIn("the fence does not hold", refused.json()["message"])
        refused = self.kan.delete("fence", query="?metadata.fence=" + bad)
        self.assertEqual((refused.status, refused.error()),
                         (409, "ERR_STATE_DELETE"))
        operation = {"operation": "upsert",
                     "request": {"key": "fence", "value": 3}}
        refused = self.kan.transaction([operation], metadata={"fence": bad})
        self.assertEqual((refused.status, refused.error()),
                         (409, "ERR_STATE_TRANSACTION"))
        self.assertEqual(self.value("fence"), 1)
        self.assertEqual(self.kan.transaction(
            [operation], metadata={"fence": good}).status, 204)
        self.assertEqual(self.value("fence"), 3)
        self.assertEqual(self.kan.delete(
            "fence", query="?metadata.fence=" + good).status, 204)

    def test_an_expired_holder_is_refused(self):
        token = self.locks.try_lock("late", seconds=1)
        fence = "lockstore/late/%d" % token
        self.assertEqual(self.fenced("late", 1, fence).status, 204)
        self.locks.watch("late", token, 30000)
        self.assertEqual(self.fenced("late", 2, fence).status, 409)
        self.assertEqual(self.value("late"), 1)

    def test_what_is_wrong_is_said(self):
        for fence, code, part in (
                ("nonsense", "ERR_MALFORMED_REQUEST",
                 "{lock store}/{resource}/{token}"),
                ("lockstore/r/x", "ERR_MALFORMED_REQUEST", "as lockstore/"),
                ("none/r/1", "ERR_LOCK_STORE_NOT_FOUND",
                 "lock store none not found")):
            answer = self.fenced("wrong", 1, fence)
            self.assertEqual((answer.status, answer.error()), (400, code))
            self.assertIn(part, answer.json()["message"])
        self.assertEqual(self.kan.get("wrong").status, 204)

    def test_on_another_engine(self):
        """The data's engine keeps the highest token, over a crash too."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "a.yaml"), "w") as file:
                file.write("---\n".join((
                    COMPONENT % ("data", "state.sqlite", ""),
                    COMPONENT % ("far", "lock.sqlite", ""))))
            with daemon.Daemon("--resources-path", folder) as kan:
                locks = Locks(kan, "far")
                old = locks.try_lock("r", "old")

                def save(value, token):
                    return kan.save([{"key": "k", "value": value}],
                                    "?metadata.fence=far/r/%d" % token,
                                    store="data").status

                self.assertEqual(save(1, old), 204)
                locks.unlock("r", "old")
                new = locks.try_lock("r", "new")
                self.assertEqual(save(2, new), 204)
                self.assertEqual(save(3, old), 409)
                kan.kill()
                kan.start()
                self.assertEqual(save(4, old), 409)
                self.assertEqual(save(5, new), 204)
                self.assertEqual(kan.get("k", store="data").json(), 5)


class Crash(unittest.TestCase):
    def test_tokens_grow_and_locks_stay(self):
        """kill -9: what was held is held, what comes next has a larger token,
        and who held before writes on."""
        with daemon.Daemon() as kan:
            locks = Locks(kan)
            tokens = [locks.try_lock("held", "h", 60)]
            for number in range(3):
                tokens.append(locks.try_lock("r"))
                kan.kill()
                kan.start()
                self.assertIsNone(locks.try_lock("r", "other"))
                self.assertEqual(kan.save([{
                    "key": "k", "value": number, "metadata": {
                        "fence": "lockstore/r/%d" % tokens[-1]}}]).status, 204)
                self.assertEqual(locks.unlock("r"), 0)
            self.assertEqual(locks.unlock("held", "h"), 0)
            tokens.append(locks.try_lock("held", "h"))
            self.assertEqual(tokens, sorted(set(tokens)))
