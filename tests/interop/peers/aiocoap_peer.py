"""aiocoap as either end.

  aiocoap_peer.py client get|put|observe URI [--identity ID --key TEXT] [--payload TEXT] [--size BYTES] [--count N]
  aiocoap_peer.py server ADDRESS PORT

The client prints one line `CODE PAYLOAD` for each response or notification; with --size it sends or expects that
many bytes of a pattern and prints their number instead. The server has /hello (text), /large (6,000 bytes of the
pattern), /echo (PUT and POST come back),
/count (PUT is answered with its length), /tick (observable: counts) and prints `listening`.
"""

import argparse
import asyncio

import aiocoap
import aiocoap.resource
from aiocoap.credentials import CredentialsMap


def pattern(size):
    return bytes(at % 251 for at in range(size))


def show(message, size):
    if size is None:
        print(message.code.dotted, message.payload.decode(), flush=True)
    else:
        right = message.payload == pattern(len(message.payload))
        print(message.code.dotted, len(message.payload), "right" if right else "wrong", flush=True)


async def ask(context, request):
    """The response and the observation, after the proof of our address that a server may ask for (RFC 9175)."""
    while True:
        running = context.request(request)
        response = await running.response
        if response.code != aiocoap.UNAUTHORIZED or response.opt.echo is None:
            return response, running.observation
        request = request.copy(mid=None, token=b"", remote=None, uri=request.get_request_uri())
        request.opt.echo = response.opt.echo


async def client(task):
    context = await aiocoap.Context.create_client_context()
    if task.identity:
        context.client_credentials = CredentialsMap()
        psk = {"psk": {"ascii": task.key}, "client-identity": {"ascii": task.identity}}
        context.client_credentials.load_from_dict({task.uri.split("/d/")[0] + "/*": {"dtls": psk}})
    if task.what == "put":
        payload = pattern(task.size) if task.size else task.payload.encode()
        request = aiocoap.Message(code=aiocoap.PUT, uri=task.uri, payload=payload)
        request.opt.content_format = 42 if task.size else 0
        response, _ = await ask(context, request)
        show(response, task.size)
    elif task.what == "get":
        response, _ = await ask(context, aiocoap.Message(code=aiocoap.GET, uri=task.uri))
        show(response, task.size)
    else:
        response, observation = await ask(context, aiocoap.Message(code=aiocoap.GET, uri=task.uri, observe=0))
        show(response, task.size)
        seen = 1
        async for notification in observation:
            show(notification, task.size)
            seen += 1
            if seen == task.count:
                observation.cancel()
                break
    await context.shutdown()


class Fixed(aiocoap.resource.Resource):
    def __init__(self, payload, content_format):
        super().__init__()
        self.payload, self.content_format = payload, content_format

    async def render_get(self, request):
        return aiocoap.Message(payload=self.payload, content_format=self.content_format)


class Echo(aiocoap.resource.Resource):
    async def render_put(self, request):
        return aiocoap.Message(code=aiocoap.CHANGED, payload=request.payload)

    render_post = render_put


class Count(aiocoap.resource.Resource):
    async def render_put(self, request):
        right = request.payload == pattern(len(request.payload))
        return aiocoap.Message(code=aiocoap.CHANGED, payload=str(len(request.payload)).encode() if right else b"wrong")


class Tick(aiocoap.resource.ObservableResource):
    def __init__(self):
        super().__init__()
        self.number = 0

    async def count(self):
        while True:
            await asyncio.sleep(0.2)
            self.number += 1
            self.updated_state()

    async def render_get(self, request):
        return aiocoap.Message(payload=str(self.number).encode(), content_format=0)


async def server(task):
    site = aiocoap.resource.Site()
    site.add_resource(["hello"], Fixed(b"hello from aiocoap", 0))
    site.add_resource(["large"], Fixed(pattern(6000), 42))
    site.add_resource(["echo"], Echo())
    site.add_resource(["count"], Count())
    tick = Tick()
    site.add_resource(["tick"], tick)
    await aiocoap.Context.create_server_context(site, bind=(task.address, task.port), transports=["udp6"])
    print("listening", flush=True)
    await tick.count()


def main():
    parser = argparse.ArgumentParser()
    roles = parser.add_subparsers(required=True)
    as_client = roles.add_parser("client")
    as_client.add_argument("what", choices=["get", "put", "observe"])
    as_client.add_argument("uri")
    as_client.add_argument("--identity")
    as_client.add_argument("--key")
    as_client.add_argument("--payload", default="")
    as_client.add_argument("--size", type=int)
    as_client.add_argument("--count", type=int, default=2)
    as_client.set_defaults(run=client)
    as_server = roles.add_parser("server")
    as_server.add_argument("address")
    as_server.add_argument("port", type=int)
    as_server.set_defaults(run=server)
    task = parser.parse_args()
    asyncio.run(task.run(task))


main()
