"""COSE as pycose and cwt have it. See README.md for the commands."""

import sys

import cbor2
import cwt
import pycose.algorithms
import pycose.headers
from pycose.keys import EC2Key, SymmetricKey
from pycose.keys.curves import P256
from pycose.messages import CoseMessage, Enc0Message, Mac0Message, Sign1Message

MESSAGES = {"encrypt0": Enc0Message, "mac0": Mac0Message, "sign1": Sign1Message}


def coordinates(key):
    """x, y and, of a key that signs, d."""
    parts = [key[at : at + 32] for at in range(0, len(key), 32)]
    return dict(zip(("x", "y", "d"), parts))


def pycose_key(kind, key):
    return EC2Key(crv=P256, **coordinates(key)) if kind == "sign1" else SymmetricKey(k=key)


def pycose_make(kind, algorithm, key, nonce, aad, kid, content):
    protected = {pycose.headers.Algorithm: pycose.algorithms.CoseAlgorithm.from_id(algorithm)}
    unprotected = {pycose.headers.KID: kid}
    if kind == "encrypt0":
        unprotected[pycose.headers.IV] = nonce
    message = MESSAGES[kind](phdr=protected, uhdr=unprotected, payload=content, external_aad=aad)
    message.key = pycose_key(kind, key)
    return message.encode()


def pycose_read(kind, algorithm, key, aad, message):
    message = CoseMessage.decode(message)
    assert isinstance(message, MESSAGES[kind]), "another kind of message"
    assert message.get_attr(pycose.headers.Algorithm).identifier == algorithm, "another algorithm"
    message.external_aad = aad
    message.key = pycose_key(kind, key)
    if kind == "encrypt0":
        return message.decrypt()
    assert message.verify_tag() if kind == "mac0" else message.verify_signature(), "not authentic"
    return message.payload


def cwt_key(kind, algorithm, key, kid=None):
    """The key's algorithm is part of it, and its name is if one is looked for."""
    if kind == "sign1":
        parts = coordinates(key)
        ops = [1, 2] if "d" in parts else [2]
        key = {1: 2, 3: algorithm, 4: ops, -1: 1, -2: parts["x"], -3: parts["y"]}
        if "d" in parts:
            key[-4] = parts["d"]
    else:
        key = {1: 4, 3: algorithm, -1: key}
    return cwt.COSEKey.new(key if kid is None else {**key, 2: kid})


def cwt_make(kind, algorithm, key, nonce, aad, kid, content):
    unprotected = {4: kid, 5: nonce} if kind == "encrypt0" else {4: kid}
    key = cwt_key(kind, algorithm, key)
    return cwt.COSE.new().encode(content, key, {1: algorithm}, unprotected, external_aad=aad)


def cwt_read(kind, algorithm, key, aad, message):
    return cwt.COSE.new().decode(message, cwt_key(kind, algorithm, key, KID), external_aad=aad)


def cwt_countersign(key, kid, aad, message):
    signer = cwt.Signer.new(cwt_key("sign1", -7, key, kid), {1: -7}, {4: kid})
    return cwt.COSEMessage.loads(message).countersign(signer, aad).dumps()


def cwt_counterverify(key, kid, aad, message):
    found = cwt.COSEMessage.loads(message).counterverify(cwt_key("sign1", -7, key, kid), aad)
    return b"" if found is None else found[1][4]


# cwt looks keys up by their name: that of the one that issues tokens, and of all messages here.
KID = b"as"
CLAIMS = {1: "coap://as", 2: "pump-7", 3: "coap://broker", 4: 4102444800, 5: 1700000000, 6: 1700000000, 7: b"\x01"}


def cwt_token(kind, algorithm, key, nonce):
    """A token with the claims above, bound to a key by its name."""
    claims, key = {**CLAIMS, 8: {3: b"k1"}}, cwt_key(kind, algorithm, key, KID)
    if kind == "encrypt0":
        return cwt.encode_and_encrypt(claims, key, nonce=nonce, tagged=True)
    return (cwt.encode_and_mac if kind == "mac0" else cwt.encode_and_sign)(claims, key, tagged=True)


def cwt_show(kind, algorithm, key, message):
    """What a token says, after the library's own checks of its times."""
    claims = cwt.decode(message, cwt_key(kind, algorithm, key, KID))
    assert claims == {**CLAIMS, 8: {3: b"k1"}}, claims
    return b"as expected"


def pycose_issue(kind, algorithm, key, kid, nonce, claims):
    """A token with these claims, of whose header everything is protected."""
    protected = {
        pycose.headers.Algorithm: pycose.algorithms.CoseAlgorithm.from_id(algorithm),
        pycose.headers.KID: kid,
    }
    if kind == "encrypt0":
        protected[pycose.headers.IV] = nonce
    message = MESSAGES[kind](phdr=protected, uhdr={}, payload=claims)
    message.key = pycose_key(kind, key)
    return b"\xd8\x3d" + message.encode()


def pycose_claims(kind, algorithm, key, kid, token):
    """What a token says; pycose does not know the tag of tokens."""
    assert CoseMessage.decode(token[2:]).phdr[pycose.headers.KID] == kid, "another key"
    return pycose_read(kind, algorithm, key, b"", token.removeprefix(b"\xd8\x3d"))


def cwt_issue(kind, algorithm, key, kid, nonce, claims):
    """A token with these claims; of one that is encrypted cwt leaves the nonce unprotected."""
    key = cwt_key(kind, algorithm, key, kid)
    unprotected = {5: nonce} if kind == "encrypt0" else {}
    return b"\xd8\x3d" + cwt.COSE.new().encode(claims, key, {1: algorithm, 4: kid}, unprotected)


def cwt_claims(kind, algorithm, key, kid, token):
    """What a token says, after the library's own checks of its times."""
    return cbor2.dumps(cwt.decode(token, cwt_key(kind, algorithm, key, kid)))


def argument(text):
    if text == "-":
        return b""
    if text in MESSAGES:
        return text
    return int(text[1:]) if text.startswith("#") else bytes.fromhex(text)


print("ready", flush=True)
for line in sys.stdin:
    command, *arguments = line.split()
    try:
        print("ok", globals()[command](*map(argument, arguments)).hex() or "-", flush=True)
    except Exception as error:
        print("refused", type(error).__name__, str(error).replace("\n", " "), flush=True)
