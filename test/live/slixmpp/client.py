"""A client of somebody else: slixmpp with its own XEP-0323 and XEP-0325 plugins.

stdin:  {"jid", "password", "port", "steps": [{"read": JID, "flags": {}, "fields": []} | {"set": JID, "fields": [[name, type, value]]}]}
stdout: a JSON line for each step: the callbacks that the plugin made, in their order. A step ends with its last callback, or after 10 s.
"""

import asyncio
import json
import sys

import slixmpp

ENDS = {"done", "rejected", "failure", "cancelled"}
STEP_SECONDS = 10


class Client(slixmpp.ClientXMPP):
    def __init__(self, order):
        super().__init__(order["jid"], order["password"])
        self.steps = order["steps"]
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0323")
        self.register_plugin("xep_0325")
        self["feature_mechanisms"].unencrypted_plain = True
        self.ended = asyncio.get_event_loop().create_future()
        self.add_event_handler("session_start", self.run)
        self.add_event_handler("failed_auth", lambda _: self.end(SystemExit("Cannot log in: wrong password")))
        self.add_event_handler("connection_failed", lambda why: self.end(SystemExit(f"Cannot connect: {why}")))

    def end(self, error=None):
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)

    async def run(self, _):
        try:
            self.send_presence()
            for step in self.steps:
                print(json.dumps(await self.step(step)), flush=True)
            self.end()
        except Exception as error:
            self.end(error)

    async def step(self, step):
        calls = []
        over = asyncio.Event()
        is_read = "read" in step

        def callback(**said):
            calls.append({key: str(value) if key == "from_jid" else value for key, value in said.items() if value is not None})
            if not is_read or said["result"] in ENDS:
                over.set()

        if is_read:
            self["xep_0323"].request_data(self.boundjid.full, step["read"], callback, fields=step.get("fields"), flags=step["flags"])
        else:
            self["xep_0325"].set_request(self.boundjid.full, step["set"], callback, [tuple(field) for field in step["fields"]])
        try:
            await asyncio.wait_for(over.wait(), STEP_SECONDS)
        except asyncio.TimeoutError:
            calls.append({"result": "nothing more"})
        return calls


async def main():
    order = json.load(sys.stdin)
    client = Client(order)
    client.connect(("127.0.0.1", order["port"]), disable_starttls=True)
    await asyncio.wait_for(client.ended, 60)
    await client.disconnect(wait=1)


# The plugins do not look at what send() promises; an error stanza is told by their callbacks.
loop = asyncio.get_event_loop()
loop.set_exception_handler(lambda _loop, context: None if isinstance(context.get("exception"), slixmpp.exceptions.IqError) else _loop.default_exception_handler(context))
loop.run_until_complete(main())
