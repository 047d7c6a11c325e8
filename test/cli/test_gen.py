"""`kan gen`: C that compiles, documents that hold together, pictures."""

import json
import os
import shutil
import subprocess
import unittest

import program
from program import Case

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "examples")
NAMES = ("bank", "cart", "order", "stock", "subscription", "ticket")


def example(name):
    return os.path.join(EXAMPLES, name + ".kan")


class Gen(Case):
    def gen(self, *args, status=0):
        done = subprocess.run([program.BINARY, "gen", *args],
                              capture_output=True, text=True, check=False,
                              timeout=program.PATIENCE_S)
        self.assertEqual(done.returncode, status, done.stderr)
        return done


class C(Gen):
    def test_two_files_are_written_and_named(self):
        folder = os.path.join(self.folder, "made")
        said = self.gen("c", example("bank"), "-o", folder).stdout
        self.assertEqual(said.split(), [os.path.join(folder, "bank.h"),
                                        os.path.join(folder, "bank.c")])
        with open(os.path.join(folder, "bank.h"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("account_open_withdraw(struct account_open *from", text)
        self.assertNotIn("account_frozen_withdraw", text)
        again = os.path.join(self.folder, "again")
        self.gen("c", example("bank"), "--output", again)
        for name in ("bank.h", "bank.c"):
            with open(os.path.join(folder, name), "rb") as one, \
                    open(os.path.join(again, name), "rb") as other:
                self.assertEqual(one.read(), other.read())

    def test_one_type_alone(self):
        self.gen("c", example("order"), "--type", "wallet", "-o", self.folder)
        with open(os.path.join(self.folder, "order.h"),
                  encoding="utf-8") as file:
            text = file.read()
        self.assertIn("struct wallet\n", text)
        self.assertNotIn("article", text)

    @unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
    def test_a_program_counts_money(self):
        self.gen("c", example("bank"), "-o", self.folder)
        main = os.path.join(self.folder, "main.c")
        with open(main, "w", encoding="utf-8") as file:
            file.write('''#include <stdio.h>
#include "bank.h"
int main(void)
{
    struct account account;
    struct account_why why;
    account_start(&account);
    if (account_take_open(&account, account_text("ann"), NULL) ||
        account_take_deposit(&account, 7, NULL))
        return 1;
    if (account_take_withdraw(&account, 8, &why) != ACCOUNT_REQUIRE)
        return 2;
    printf("%s, line %u\\n", why.text, (unsigned)why.line);
    return account.balance == 7 ? 0 : 3;
}
''')
        out = os.path.join(self.folder, "main")
        subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o",
                        out, main, os.path.join(self.folder, "bank.c")],
                       check=True, capture_output=True)
        said = subprocess.run([out], check=True, capture_output=True,
                              text=True).stdout
        with open(example("bank"), encoding="utf-8") as file:
            lines = file.read().split("\n")
        line = int(said.split()[-1])
        self.assertTrue(said.startswith("insufficient funds, line"))
        self.assertIn("insufficient funds", lines[line - 1])


class Openapi(Gen):
    def resolve(self, document, ref):
        self.assertTrue(ref.startswith("#/"), ref)
        at = document
        for part in ref[2:].split("/"):
            self.assertIn(part, at, ref)
            at = at[part]

    def references(self, at):
        if isinstance(at, dict):
            if "$ref" in at:
                yield at["$ref"]
            at = at.values()
        elif not isinstance(at, list):
            return
        for inner in at:
            yield from self.references(inner)

    def names_once(self, pairs):
        names = [name for name, _ in pairs]
        self.assertEqual(len(names), len(set(names)), names)
        return dict(pairs)

    def test_every_reference_leads_somewhere(self):
        for name in NAMES:
            text = self.gen("openapi", example(name)).stdout
            document = json.loads(text, object_pairs_hook=self.names_once)
            self.assertEqual(document["openapi"], "3.1.0")
            found = list(self.references(document))
            self.assertTrue(found)
            for ref in found:
                self.resolve(document, ref)
            ids = [operation["operationId"]
                   for path in document["paths"].values()
                   for operation in path.values()]
            self.assertEqual(len(ids), len(set(ids)))
            try:
                from openapi_spec_validator import validate
            except ImportError:
                continue
            validate(document)

    def test_it_says_what_the_contract_says(self):
        out = os.path.join(self.folder, "bank.json")
        self.gen("openapi", example("bank"), "-o", out)
        with open(out, encoding="utf-8") as file:
            document = json.load(file)
        schemas = document["components"]["schemas"]
        deposit = schemas["step.account.deposit"]
        self.assertEqual(deposit["required"], ["amount"])
        self.assertEqual(deposit["properties"]["amount"],
                         {"type": "integer", "minimum": 1,
                          "maximum": 1000000})
        self.assertEqual(
            schemas["state.account"]["properties"]["status"]["enum"],
            ["unopened", "open", "frozen", "closed"])
        paths = document["paths"]
        step = paths["/v1.0/actors/account/{id}/method/deposit"]["post"]
        self.assertEqual(sorted(step["responses"]),
                         ["200", "400", "404", "409", "410", "412", "422",
                          "500", "503"])
        # Internal steps are for sagas alone.
        self.assertNotIn("/v1.0/actors/account/{id}/method/hold", paths)
        self.assertIn("/kan/v1/sagas/transfer", paths)

    def test_defaults_may_be_left_out(self):
        document = json.loads(self.gen("openapi", example("cart")).stdout)
        add = document["components"]["schemas"]["step.cart.add"]
        self.assertEqual(add["required"], ["article"])
        self.assertEqual(add["properties"]["count"]["default"], 1)

    def test_answers_fit_the_document(self):
        """What kan answers is what the document says, where jsonschema is."""
        try:
            import jsonschema
        except ImportError:
            self.skipTest("there is no jsonschema")
        document = json.loads(self.gen("openapi", example("bank")).stdout)
        kan = self.kan(example("bank"))

        def check(answer, schema):
            jsonschema.Draft202012Validator(
                {"$ref": "#/components/schemas/" + schema,
                 "components": document["components"]}).validate(
                     answer.json())

        at = "/v1.0/actors/account/ann/method/"
        check(kan.ask("POST", at + "open", {"name": "Ann"}), "entity.account")
        check(kan.ask("POST", at + "deposit", {"amount": 5}), "entity.account")
        refused = kan.ask("POST", at + "withdraw", {"amount": 9})
        self.assertEqual(refused.status, 409)
        check(refused, "problem")
        check(kan.ask("POST", at + "withdraw", {"amount": 0}), "error")
        own = "/kan/v1/entities/account"
        check(kan.ask("GET", own), "entities")
        check(kan.ask("GET", own + "/ann"), "entity.account")
        check(kan.ask("GET", own + "/ann/events"), "events.account")
        check(kan.ask("GET", own + "/ann/views/statement"),
              "view.account.statement")
        check(kan.ask("GET", "/kan/v1/views/account/bank"),
              "view.account.bank")


class Dot(Gen):
    def test_states_and_steps(self):
        text = self.gen("dot", example("bank")).stdout
        self.assertIn('s0_1 -> s0_2 [label="freeze\\l"]', text)
        self.assertIn("deposit(amount)\\lwithdraw(amount)\\l", text)
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg"], input=text, text=True, check=True,
                           capture_output=True)


class Wrong(Gen):
    def test_what_cannot_be_made(self):
        said = self.gen("rust", example("bank"), status=2).stderr
        self.assertIn("expected c, openapi or dot", said)
        said = self.gen("c", status=2).stderr
        self.assertIn("of which file", said)
        said = self.gen("dot", example("bank"), "--type", "acount",
                        status=2).stderr
        self.assertIn("there is no type 'acount'", said)
        said = self.gen("c", os.path.join(self.folder, "none.kan"),
                        status=2).stderr
        self.assertIn("none.kan", said)

    def test_a_wrong_contract_is_told(self):
        path = os.path.join(self.folder, "wrong.kan")
        with open(path, "w", encoding="utf-8") as file:
            file.write("type a { b: int(3 .. 1) }\n")
        said = self.gen("openapi", path, status=2).stderr
        self.assertIn("wrong.kan:1:", said)
        self.assertEqual(os.listdir(self.folder), ["wrong.kan"])


if __name__ == "__main__":
    unittest.main()
