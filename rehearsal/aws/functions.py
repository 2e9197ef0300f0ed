"""Lambda functions: the deployed code, from its asset, run by this machine's Node. They find the AWS SDK, which
Lambda's Node brings along, in NODE_MODULES.
"""
import http.server
import io
import json
import os
import subprocess
import tempfile
import threading
import uuid
import zipfile

from moto.s3.models import s3_backends
from records import Record

RUNNER = """
import { existsSync } from 'node:fs'; import { pathToFileURL } from 'node:url';
const [module, name, event] = process.argv.slice(1);
const file = ['.mjs', '.js', '.cjs'].map((end) => module + end).find(existsSync);
const loaded = await import(pathToFileURL(file).href);
const handle = loaded[name] ?? loaded.default[name];
const answer = await handle(JSON.parse(event), { getRemainingTimeInMillis: () => 60000 });
console.log(JSON.stringify(answer ?? null));
"""


def invoke(function, event):
    """Runs the function with the event; returns what it printed. Raises RuntimeError when it fails."""
    properties = function.properties
    if not properties["Runtime"].startswith("nodejs"):
        raise RuntimeError(f"{function.name}: functions of {properties['Runtime']} do not run in a rehearsal")
    code = properties["Code"]
    asset = s3_backends[function.account]["aws"].get_object(code["S3Bucket"], code["S3Key"]).value
    module, export = properties["Handler"].rsplit(".", 1)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(asset)).extractall(folder)
        if not os.path.exists(f"{folder}/node_modules"):
            os.symlink(os.environ["NODE_MODULES"], f"{folder}/node_modules")
        variables = properties.get("Environment", {}).get("Variables", {})
        env = {**os.environ, **variables, "AWS_REGION": function.region, "AWS_LAMBDA_FUNCTION_NAME": function.name}
        runner = [os.environ["NODE"], "--input-type=module", "-e", RUNNER]
        command = [*runner, f"{folder}/{module}", export, json.dumps(event)]
        ran = subprocess.run(command, cwd=folder, env=env, timeout=120, capture_output=True, text=True)
    print(f"function {function.name}: {ran.stdout.strip()} {ran.stderr.strip()}", flush=True)
    if ran.returncode:
        raise RuntimeError(f"{function.name} failed: {ran.stderr.strip()[-1000:]}")
    return ran.stdout


class CustomResource(Record):
    """A resource that a function of the stack makes, changes and deletes."""

    function = None  # set by whoever makes it, before anything is asked of it
    stack_id = logical_id = None

    def _identify(self):
        return "not made yet"

    def create(self):
        self._take(self._ask("Create", self.properties))

    def update(self, properties):
        former, before = self.physical_resource_id, self.properties
        self.properties = properties
        self._take(self._ask("Update", properties, PhysicalResourceId=former, OldResourceProperties=before))
        if self.physical_resource_id != former:
            self._ask("Delete", before, PhysicalResourceId=former)

    def delete(self, account_id, region_name):
        self._ask("Delete", self.properties, PhysicalResourceId=self.physical_resource_id)

    def get_cfn_attribute(self, attribute):
        return self.data[attribute]

    def _take(self, reply):
        self.physical_resource_id, self.data = reply["PhysicalResourceId"], reply.get("Data", {})

    def _ask(self, kind, properties, **more):
        reply = {}

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                reply.update(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
            threading.Thread(target=receiver.serve_forever, daemon=True).start()
            event = {
                "RequestType": kind,
                "RequestId": str(uuid.uuid4()),
                "StackId": self.stack_id,
                "LogicalResourceId": self.logical_id,
                "ResourceType": self.kind,
                "ResourceProperties": properties,
                "ServiceToken": properties["ServiceToken"],
                "ResponseURL": f"http://127.0.0.1:{receiver.server_port}/",
                **more,
            }
            try:
                invoke(self.function, event)
            finally:
                receiver.shutdown()
        if reply.get("Status") != "SUCCESS":
            raise RuntimeError(f"{self.logical_id}, {kind}: {reply.get('Reason', 'the function did not answer')}")
        return reply
