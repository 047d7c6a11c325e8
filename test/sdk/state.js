// The stock JavaScript SDK, unchanged, doing state and lock calls and steps of
// a contract against `kan run`.
// usage: node state.js KAN_BINARY
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { ActorId, ActorProxyBuilder, DaprClient, CommunicationProtocolEnum } =
  require("@dapr/dapr");

const STORE = "statestore";
const LOCKS = "lockstore";

// Starts Kan on any free port; resolves with { port, stop } once it is ready.
function startKan(binary, dir) {
  const bank = path.join(__dirname, "bank.kan");
  const args = ["run", bank, "--dapr-http-port", "0", "--data-dir", dir];
  const kan = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => kan.on("exit", resolve));
  return new Promise((resolve, reject) => {
    let text = "";
    kan.stdout.on("data", (chunk) => {
      text += chunk;
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(text);
      if (found)
        resolve({
          port: found[1],
          stop: async () => {
            kan.kill("SIGINT");
            assert.equal(await ended, 0, "kan run ends with 0 after SIGINT");
          },
        });
    });
    ended.then((code) => reject(new Error(`kan run ended with ${code}`)));
  });
}

const cases = {
  "metadata names the state store": async (client) => {
    const metadata = await client.metadata.get();
    assert.equal(metadata.id, "kan");
    const store = metadata.components.find((c) => c.name === STORE);
    for (const capability of ["ETAG", "TRANSACTIONAL", "ACTOR", "TTL"])
      assert.ok(store.capabilities.includes(capability), capability);
  },

  "metadata can be set and read": async (client) => {
    await client.metadata.set("testKey", "Hello World");
    assert.equal((await client.metadata.get()).extended.testKey, "Hello World");
  },

  "an entity's steps are an actor's methods": async (client) => {
    // The proxy takes the type's name from the class.
    const builder = new ActorProxyBuilder(class account {}, client);
    const alice = builder.build(new ActorId("alice"));
    const opened = await alice.open({ name: "Alice" });
    assert.deepEqual([opened.n, opened.state.status], [1, "open"]);
    const paid = await alice.deposit({ amount: 500 });
    assert.deepEqual([paid.n, paid.state.balance], [2, 500]);
    await assert.rejects(alice.withdraw({ amount: 501 }),
                         /insufficient funds/);
    assert.equal((await alice.withdraw({ amount: 500 })).state.balance, 0);
  },

  "health is true": async (client) => {
    assert.equal(await client.health.isHealthy(), true);
  },

  "saved values of every kind come back": async (client) => {
    const values = {
      text: "value 1", number: 42, real: -0.5, yes: true, none: null,
      list: [1, "two", { three: 3 }], object: { a: { b: ["ü", "看"] } },
    };
    await client.state.save(
      STORE, Object.entries(values).map(([key, value]) => ({ key, value })));
    for (const [key, value] of Object.entries(values))
      assert.deepEqual(await client.state.get(STORE, key), value, key);
  },

  "bulk get answers missing keys without data": async (client) => {
    await client.state.save(STORE, [
      { key: "b1", value: "one" }, { key: "b2", value: { two: 2 } }]);
    const items = await client.state.getBulk(STORE, ["b1", "b2", "b3"]);
    const byKey = Object.fromEntries(items.map((item) => [item.key, item]));
    assert.equal(byKey.b1.data, "one");
    assert.deepEqual(byKey.b2.data, { two: 2 });
    assert.ok(byKey.b1.etag);
    assert.ok(!("data" in byKey.b3));
  },

  "first write wins by etag": async (client) => {
    const options = { concurrency: 1, consistency: 2 };
    await client.state.save(STORE, [{ key: "e", value: 1 }]);
    const [{ etag }] = await client.state.getBulk(STORE, ["e"]);
    const saved = await client.state.save(
      STORE, [{ key: "e", value: 2, etag, options }]);
    assert.ok(!saved || !saved.error, "the right etag saves");
    const refused = await client.state.save(
      STORE, [{ key: "e", value: 3, etag, options }]);
    assert.match(String(refused.error), /etag/, "the old etag is refused");
    assert.equal(await client.state.get(STORE, "e"), 2);
  },

  "a value with a time to live expires": async (client) => {
    await client.state.save(STORE, [
      { key: "brief", value: 1, metadata: { ttlInSeconds: "1" } }]);
    assert.equal(await client.state.get(STORE, "brief"), 1);
    // Asks until it is gone: the wall clock is the SDK's and ours.
    const deadline = Date.now() + 5000;
    while ((await client.state.get(STORE, "brief")) === 1)
      assert.ok(Date.now() < deadline, "gone within five seconds");
  },

  "request metadata beats the item's": async (client) => {
    await client.state.save(
      STORE, [{ key: "long", value: 1, metadata: { ttlInSeconds: "1" } }],
      { metadata: { ttlInSeconds: "600" } });
    const [{ metadata }] = await client.state.getBulk(STORE, ["long"]);
    const left = Date.parse(metadata.ttlExpireTime) - Date.now();
    assert.ok(left > 500000 && left < 601000, `${left} ms left`);
  },

  "deleted is gone": async (client) => {
    await client.state.save(STORE, [{ key: "d", value: 1 }]);
    await client.state.delete(STORE, "d");
    assert.equal(await client.state.get(STORE, "d"), "");
    await client.state.delete(STORE, "d");
  },

  "a transaction does all": async (client) => {
    await client.state.save(STORE, [{ key: "t1", value: "old" }]);
    await client.state.transaction(STORE, [
      { operation: "delete", request: { key: "t1" } },
      { operation: "upsert", request: { key: "t2", value: { n: 2 } } },
      { operation: "upsert", request: { key: "t3", value: "three" } },
    ]);
    assert.equal(await client.state.get(STORE, "t1"), "");
    assert.deepEqual(await client.state.get(STORE, "t2"), { n: 2 });
    assert.equal(await client.state.get(STORE, "t3"), "three");
  },

  "a transaction with a stale etag does nothing": async (client) => {
    await client.state.save(STORE, [{ key: "u1", value: 1 }]);
    const options = { concurrency: 1, consistency: 2 };
    await assert.rejects(client.state.transaction(STORE, [
      { operation: "upsert", request: { key: "u2", value: 2 } },
      { operation: "upsert",
        request: { key: "u1", value: 2, etag: "1234567", options } },
    ]).then((answer) => { if (answer && answer.error) throw answer.error; }));
    assert.equal(await client.state.get(STORE, "u1"), 1);
    assert.equal(await client.state.get(STORE, "u2"), "");
  },

  "query is refused by name": async (client) => {
    await assert.rejects(
      client.state.query(STORE, { filter: {}, sort: [], page: { limit: 1 } }),
      /ERR_STATE_STORE_NOT_SUPPORTED|querying/);
  },

  "a lock is held, by one owner at a time": async (client) => {
    const tried = async (owner, seconds) =>
      (await client.lock.lock(LOCKS, "r", owner, seconds)).success;
    const released = async (owner) =>
      (await client.lock.unlock(LOCKS, "r", owner)).status;
    const [success, absent, others] = [0, 1, 2]; // LockStatus
    assert.equal(await tried("one", 60), true);
    assert.equal(await tried("two", 60), false);
    assert.equal(await tried("one", 60), false);
    assert.equal(await released("two"), others);
    assert.equal(await released("one"), success);
    assert.equal(await released("one"), absent);
    assert.equal(await tried("two", 1), true);
    // Asks until its lease is over: the clock is the SDK's and ours.
    const deadline = Date.now() + 10000;
    while (!(await tried("one", 60)))
      assert.ok(Date.now() < deadline, "free within ten seconds");
    assert.equal(await released("two"), others);
  },

  "a wrong lock is refused by name": async (client) => {
    await assert.rejects(client.lock.lock("nowhere", "r", "o", 60),
      /ERR_LOCK_STORE_NOT_FOUND/);
    await assert.rejects(client.lock.lock(LOCKS, "", "o", 60),
      /ResourceId is empty in lock store lockstore/);
    await assert.rejects(client.lock.lock(LOCKS, "r", "o", 0),
      /ExpiryInSeconds is not positive in lock store lockstore/);
  },

  "an unknown store is refused by name": async (client) => {
    await assert.rejects(client.state.get("nowhere", "k"),
      /ERR_STATE_STORE_NOT_FOUND/);
  },
};

async function main() {
  const binary = path.resolve(process.argv[2]);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "kan-sdk-"));
  const kan = await startKan(binary, dir);
  let failed = 0;
  const client = new DaprClient({
    daprHost: "127.0.0.1",
    daprPort: kan.port,
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    logger: { level: "error" },
  });
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run(client);
      console.log(`ok      ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name}\n        ${error.stack}`);
    }
  }
  await client.stop();
  await kan.stop();
  fs.rmSync(dir, { recursive: true });
  process.exit(failed ? 1 : 0);
}

main();
