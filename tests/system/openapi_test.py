#!/usr/bin/python3
"""openapi.json against the official schema of OpenAPI 3.0 (Debian's package openapi-specification), and what the server answers
against openapi.json."""

import json
import os
import re

from bed import TOP, SystemTest, main, wait_until

PLACES = (os.path.join(TOP, "build/packages/openapi-specification"), "/")


def official_schema():
    """None where it is not installed."""
    for root in PLACES:
        path = os.path.join(root, "usr/share/openapi-specification/schemas/v3.0/schema.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return json.load(file)
    return None


def as_json_schema(node):
    """`nullable` (OpenAPI 3.0) in the words of JSON Schema."""
    if isinstance(node, list):
        return [as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    out = {key: as_json_schema(value) for key, value in node.items()}
    if out.pop("nullable", None) is True:
        out = {"anyOf": [{"type": "null"}, out]}
    return out


class OpenApi(SystemTest):
    def setUp(self):
        super().setUp()
        try:
            import jsonschema  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest("python3-jsonschema is not here: run tools/install")
        self.jsonschema = jsonschema
        if official_schema() is None:
            self.skipTest("openapi-specification is not here: run tools/install")
        self.h = self.host()
        self.document = self.h.rest.get("/openapi.json")

    def test_the_document_is_valid(self):
        schema = official_schema()
        validator = self.jsonschema.validators.validator_for(schema)(schema)
        self.assertEqual([f"{list(e.absolute_path)}: {e.message[:300]}" for e in validator.iter_errors(self.document)], [])
        names = [operation["operationId"] for methods in self.document["paths"].values() for operation in methods.values()]
        self.assertEqual(len(names), len(set(names)))
        # What the schema of OpenAPI cannot say: that each schema is one, that references and parameters are there.
        for name, one in self.document["components"]["schemas"].items():
            with self.subTest(schema=name):
                self.jsonschema.Draft4Validator.check_schema(as_json_schema(one))
        for reference in re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(self.document)):
            self.assertIn(reference, self.document["components"]["schemas"])
        for path, methods in self.document["paths"].items():
            for operation in methods.values():
                said = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
                self.assertEqual(said, set(re.findall(r"{(\w+)}", path)), path)
        self.assertEqual(self.document["servers"], [{"url": "http://127.0.0.1:8181/"}])

    def validate(self, schema, value, what):
        whole = {**as_json_schema(schema), "components": as_json_schema(self.document["components"])}
        validator = self.jsonschema.Draft4Validator(whole, format_checker=self.jsonschema.FormatChecker())
        self.assertEqual([f"{list(e.absolute_path)}: {e.message[:300]}" for e in validator.iter_errors(value)], [], what)

    def operation(self, template, method):
        return self.document["paths"]["/midonet-api" + template][method]

    def test_every_answer_is_as_the_document_says(self):
        rest = self.h.rest
        bridge = self.h.create_bridge(tenantId="acme")
        full, empty = self.h.create_port(
            bridge,
            macAddress="02:00:00:00:00:01",
            fixedIps=[{"ipAddress": "192.0.2.1"}],
            allowedAddressPairs=[{"ipAddress": "10.0.0.0/8"}],
        ), self.h.create_port(bridge)
        rest.create("/bridges", {})
        zone = rest.create("/tunnel_zones", {"name": "underlay"})
        rest.expect(201, "POST", f"/tunnel_zones/{zone}/hosts", {"hostId": self.h.id, "ipAddress": "192.0.2.9"})
        rest.expect(201, "POST", f"/bridges/{bridge}/mac_table", {"macAddr": "02:00:00:00:00:02", "portId": empty})
        rest.expect(201, "POST", f"/bridges/{bridge}/arp_table", {"ip": "192.0.2.2", "mac": "02:00:00:00:00:02"})
        rest.expect(200, "POST", f"/ports/{full}/attach_interface", {"hostId": self.h.id, "interface": "tap0"})
        self.h.wait_state(full, "pending-interface")
        self.tap(self.h, "tap9")
        wait_until(lambda: rest.call("GET", f"/hosts/{self.h.id}/interfaces/tap9").status == 200, what="the tap is published")
        entries = {"mac_table": f"02-00-00-00-00-02_{empty}", "arp_table": "192.0.2.2_02-00-00-00-00-02"}
        values = {
            "bridges": [bridge],
            "ports": [full, empty],
            "hosts": [self.h.id],
            "tunnel_zones": [zone],
            "tenants": ["acme"],
        }
        seen = 0
        for template, methods in self.document["paths"].items():
            if "get" not in methods or not template.startswith("/midonet-api") or template.endswith(("/events", "/login")):
                continue
            parts = template.split("/")
            for chosen in values.get(parts[2] if len(parts) > 2 else "", [""]):
                uri = template.replace("{id}", chosen, 1).replace("{hostId}", self.h.id).replace("{portId}", full)
                uri = uri.replace("{name}", "tap9").replace("{entry}", entries.get(parts[-2], ""))
                answer = rest.call("GET", uri)
                operation = methods["get"]["responses"]
                status = str(answer.status) if str(answer.status) in operation else "default"
                content = operation[status]["content"]
                kind = answer.headers["Content-Type"]
                self.assertIn(kind, content, uri)
                self.validate(content[kind]["schema"], answer.json, uri)
                expected = 404 if "/routers/" in uri or (chosen == empty and uri.endswith("/attach_interface")) else 200
                self.assertEqual(answer.status, expected, uri)
                seen += 1
        self.assertGreater(seen, 25)

    def test_what_the_document_allows_is_taken_and_what_it_forbids_is_refused(self):
        bridge = self.h.create_bridge()
        port = self.h.create_port(bridge)
        zone = self.h.rest.create("/tunnel_zones", {"name": "underlay"})
        for template, uri in (
            ("/bridges/{id}", f"/bridges/{bridge}"),
            ("/ports/{id}", f"/ports/{port}"),
            ("/hosts/{id}", f"/hosts/{self.h.id}"),
            ("/tunnel_zones/{id}", f"/tunnel_zones/{zone}"),
        ):
            reference = self.operation(template, "put")["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = self.document["components"]["schemas"][reference.rsplit("/", 1)[1]]
            for name, field in schema["properties"].items():
                tries = [None] if "enum" not in field else [None, "nonsense"]
                if field.get("type") == "string" and "enum" not in field:
                    tries += ["x" * (field["maxLength"] + 1)] if "maxLength" in field else []
                if field.get("type") == "integer":
                    tries += [field["minimum"] - 1, field["maximum"] + 1] if "minimum" in field else []
                for value in tries:
                    with self.subTest(uri=uri, field=name, value=value):
                        errors = list(self.jsonschema.Draft4Validator(as_json_schema(field)).iter_errors(value))
                        answer = self.h.rest.call("PUT", uri, {name: value})
                        self.assertEqual(answer.status == 400, bool(errors), f"{answer} {errors}")


if __name__ == "__main__":
    main()
