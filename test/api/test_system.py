"""Routes, health, metadata, metrics, log level, token, origins, the app."""

import socket
import sys
import unittest

import daemon


class Routes(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()

    def test_paths_are_cleaned(self):
        self.kan.save([{"key": "clean", "value": 1}])
        for path in ("//v1.0/state//statestore/clean",
                     "/v1.0/./state/statestore/clean/",
                     "/v1.0/x/../state/statestore/clean"):
            self.assertEqual(self.kan.ask("GET", path).status, 200, path)

    def test_no_route_is_an_invocation(self):
        for verb, path in (("GET", "/"), ("GET", "/v1.0/state/statestore"),
                           ("PATCH", "/v1.0/state/statestore"),
                           ("GET", "/v1.0/nope"), ("PUT", "/v1.0/healthz"),
                           ("OPTIONS", "/v1.0/state/statestore")):
            answer = self.kan.ask(verb, path)
            self.assertEqual(answer.status, 404, path)
            self.assertEqual(answer.json(), {
                "errorCode": "ERR_DIRECT_INVOKE",
                "message": "failed getting app id either from the URL path or "
                           "the header dapr-app-id"})
        self.assertEqual(self.kan.ask("HEAD", "/v1.0/healthz").status, 404)

    def test_blocks_that_are_not_served(self):
        for verb, path, status, code in (
                ("GET", "/v1.0/secrets/s/k", 500,
                 "ERR_SECRET_STORES_NOT_CONFIGURED"),
                ("POST", "/v1.0/publish/p/a/b", 400,
                 "ERR_PUBSUB_NOT_CONFIGURED"),
                ("POST", "/v1.0-alpha1/publish/bulk/p/t", 400,
                 "ERR_PUBSUB_NOT_CONFIGURED"),
                ("POST", "/v1.0/bindings/b", 500, "ERR_INVOKE_OUTPUT_BINDING"),
                ("GET", "/v1.0/configuration/c", 500,
                 "ERR_CONFIGURATION_STORE_NOT_CONFIGURED"),
                ("POST", "/v1.0/actors/t/i/method/m", 400,
                 "ERR_ACTOR_NO_PLACEMENT"),
                ("POST", "/v1.0/jobs/j", 501, "ERR_API_UNIMPLEMENTED"),
                ("POST", "/v1.0-beta1/workflows/dapr/w/start", 501,
                 "ERR_API_UNIMPLEMENTED"),
                ("POST", "/v1.0/invoke/a/method/m", 500, "ERR_DIRECT_INVOKE")):
            answer = self.kan.ask(verb, path, "{}" if verb == "POST" else None)
            self.assertEqual((answer.status, answer.error()), (status, code))

    def test_pipelined_and_chunked(self):
        text = (b"POST /v1.0/state/statestore HTTP/1.1\r\nHost: k\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
                b"8\r\n[{\"key\":\r\n15\r\n\"piped\",\"value\":123}]\r\n0\r\n\r\n"
                b"GET /v1.0/state/statestore/piped HTTP/1.1\r\nHost: k\r\n"
                b"Connection: close\r\n\r\n")
        with socket.create_connection((self.kan.host, self.kan.port), 20) as s:
            s.sendall(text)
            got = b"".join(iter(lambda: s.recv(65536), b""))
        self.assertEqual(got.count(b"HTTP/1.1 204 "), 1, got)
        self.assertTrue(got.endswith(b"\r\n\r\n123"), got)


class System(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()

    def test_health(self):
        for path in ("/v1.0/healthz", "/v1.0/healthz/outbound",
                     "/v1.0/healthz?appid=kan"):
            answer = self.kan.ask("GET", path)
            self.assertEqual((answer.status, answer.body), (204, b""))
        answer = self.kan.ask("GET", "/v1.0/healthz?appid=other")
        self.assertEqual((answer.status, answer.error()),
                         (500, "ERR_HEALTH_APPID_NOT_MATCH"))

    def test_metadata(self):
        found = self.kan.ask("GET", "/v1.0/metadata").json()
        self.assertEqual(found["id"], "kan")
        self.assertEqual(found["extended"]["daprRuntimeVersion"],
                         found["runtimeVersion"])
        store = found["components"][0]
        self.assertEqual(store["name"], "statestore")
        for one in ("ETAG", "TRANSACTIONAL", "TTL", "ACTOR"):
            self.assertIn(one, store["capabilities"])
        for name in ("subscriptions", "httpEndpoints",
                     "appConnectionProperties"):
            self.assertNotIn(name, found)

    def test_metadata_put(self):
        answer = self.kan.ask("PUT", "/v1.0/metadata/testKey", "Test Value")
        self.assertEqual(answer.status, 204)
        self.kan.ask("PUT", "/v1.0/metadata/empty", "")
        extended = self.kan.ask("GET", "/v1.0/metadata").json()["extended"]
        self.assertEqual(extended["testKey"], "Test Value")
        self.assertEqual(extended["empty"], "")
        answer = self.kan.ask("PUT", "/v1.0/metadata/long", "x" * 8193)
        self.assertEqual(answer.status, 400)

    def test_metrics(self):
        self.kan.save([{"key": "users-text", "value": 1}])
        self.kan.ask("GET", "/users-path")
        answer = self.kan.ask("GET", "/metrics")
        self.assertEqual(answer.status, 200)
        text = answer.body.decode()
        self.assertNotIn("users-", text)
        values = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                self.assertNotIn(name, values)
                values[name] = float(value)
        route = '{route="state_save",class="2xx"}'
        self.assertGreater(values["kan_http_requests_total" + route], 0)
        self.assertGreater(
            values['kan_store_commits_total{store="statestore"}'], 0)
        self.assertEqual(values["kan_ready"], 1)

    def test_log_level(self):
        path = "/kan/v1/log-level"
        before = self.kan.ask("GET", path).json()["level"]
        self.assertEqual(self.kan.ask("PUT", path, "error").status, 204)
        self.assertEqual(self.kan.ask("GET", path).json(), {"level": "error"})
        self.assertEqual(self.kan.ask("PUT", path, "loud").status, 400)
        self.assertEqual(
            self.kan.ask("PUT", path, {"level": before}).status, 204)
        self.assertEqual(self.kan.ask("GET", path).json(), {"level": before})


class Token(unittest.TestCase):
    def test_token(self):
        with daemon.Daemon(env={"DAPR_API_TOKEN": "secret"}) as kan:
            for path in ("/v1.0/state/statestore/k", "/v1.0/metadata",
                         "/kan/v1/state/statestore", "/metrics", "/nowhere"):
                for headers in ({}, {"dapr-api-token": "secreT"}):
                    answer = kan.ask("GET", path, headers=headers)
                    self.assertEqual(answer.status, 401, path)
                    self.assertEqual(answer.body, b"invalid api token")
                    self.assertTrue(answer.headers["content-type"]
                                    .startswith("text/plain"))
            good = {"dapr-api-token": "secret"}
            self.assertEqual(kan.get("k", headers=good).status, 204)
            self.assertEqual(kan.ask("GET", "/v1.0/healthz").status, 204)
            self.assertEqual(kan.ask("GET", "/metrics", headers=good).status,
                             200)


class Origins(unittest.TestCase):
    def test_origins(self):
        with daemon.Daemon("--allowed-origins", "http://a.example") as kan:
            allow = "access-control-allow-origin"
            answer = kan.get("k", headers={"Origin": "http://a.example"})
            self.assertEqual(answer.headers.get(allow), "http://a.example")
            answer = kan.get("k", headers={"Origin": "http://b.example"})
            self.assertNotIn(allow, answer.headers)
            answer = kan.ask("OPTIONS", "/v1.0/state/statestore", headers={
                "Origin": "http://a.example",
                "Access-Control-Request-Method": "PUT"})
            self.assertEqual(answer.status, 204)
            self.assertIn("PUT", answer.headers["access-control-allow-methods"])


class Life(unittest.TestCase):
    def test_state_survives_restarts_and_kills(self):
        with daemon.Daemon() as kan:
            self.assertEqual(kan.save([{"key": "a", "value": 1}]).status, 204)
            etag = kan.get("a").etag
            self.assertEqual(kan.end(), 0)
            kan.start()
            answer = kan.get("a")
            self.assertEqual((answer.json(), answer.etag), (1, etag))
            self.assertEqual(kan.save([{"key": "b", "value": 2}]).status, 204)
            kan.kill()
            kan.start()
            self.assertEqual(kan.get("b").json(), 2)
            self.assertGreater(int(kan.get("b").etag), int(etag))

    def test_shutdown(self):
        with daemon.Daemon() as kan:
            answer = kan.ask("POST", "/v1.0/shutdown")
            self.assertEqual(answer.status, 204)
            self.assertEqual(kan.process.wait(20), 0)

    def test_app_id_is_the_prefix(self):
        with daemon.Daemon("--app-id", "one") as kan:
            kan.save([{"key": "a", "value": 1}])
            self.assertEqual(
                kan.ask("GET", "/v1.0/metadata").json()["id"], "one")
            kan.end()
            kan.args = ["--app-id", "two"]
            kan.start()
            self.assertEqual(kan.get("a").status, 204)
            self.assertEqual(kan.keys(), [])
            kan.end()
            kan.args = ["--app-id", "one"]
            kan.start()
            self.assertEqual(kan.get("a").json(), 1)

    def test_the_app_beside_it(self):
        # It ends by itself when whoever started it is gone.
        app = [sys.executable, "-c", """
import http.server, os
parent = os.getppid()
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])),
                                http.server.BaseHTTPRequestHandler)
server.timeout = 0.2
while os.getppid() == parent:
    server.handle_request()
"""]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with daemon.Daemon("--app-port", str(port), command=app) as kan:
            daemon.wait_for(
                lambda: kan.ask("GET", "/v1.0/healthz").status == 204)
            found = kan.ask("GET", "/v1.0/metadata").json()
            self.assertEqual(found["appConnectionProperties"]["port"], port)
            self.assertIn("appPID", found["extended"])


class Hostile(unittest.TestCase):
    def setUp(self):
        self.kan = daemon.shared()

    def send(self, text):
        with socket.create_connection((self.kan.host, self.kan.port), 20) as s:
            s.sendall(text)
            return b"".join(iter(lambda: s.recv(65536), b""))

    def test_framing(self):
        for head in (b"Host: k\r\nContent-Length: 2\r\nTransfer-Encoding: "
                     b"chunked\r\n", b"Host: k\r\nContent-Length: +2\r\n",
                     b"Host: k\r\nContent-Length: 2\r\nContent-Length: 3\r\n",
                     b"Host : k\r\n", b"", b"Host: a\r\nHost: b\r\n",
                     b"Host: k\r\nX: a\r\n b\r\n", b"Host: k\nX: y\r\n",
                     b"Host: k\r\nX: a\0b\r\n"):
            got = self.send(b"POST /v1.0/state/statestore HTTP/1.1\r\n" + head
                            + b"\r\n[]")
            self.assertTrue(got.startswith(b"HTTP/1.1 400 "), (head, got))
            self.assertIn(b"ERR_BAD_REQUEST", got)

    def test_a_head_too_large(self):
        got = self.send(b"GET / HTTP/1.1\r\nHost: k\r\nX: " + b"x" * 8000
                        + b"\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 431 "), got[:80])

    def test_a_peer_that_leaves(self):
        for _ in range(20):
            with socket.create_connection((self.kan.host, self.kan.port)) as s:
                s.sendall(b"POST /v1.0/state/statestore HTTP/1.1\r\nHost: k\r\n"
                          b"Content-Length: 1000\r\n\r\n[")
        self.assertEqual(self.kan.ask("GET", "/v1.0/healthz").status, 204)

    def test_a_slow_peer_slows_nobody(self):
        slow = [socket.create_connection((self.kan.host, self.kan.port))
                for _ in range(50)]
        for s in slow:
            s.sendall(b"POST /v1.0/state/statestore HTTP/1.1\r\nHos")
        self.assertEqual(self.kan.save([{"key": "quick"}]).status, 204)
        for s in slow:
            s.close()
