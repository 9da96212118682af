# python3 passport.py s42 Kim student 28800
import base64, hashlib, hmac, json, os, sys, time

kid, secret = os.environ["LECTERN_PASSPORT_KEYS"].split(",")[0].split(":")
key = base64.urlsafe_b64decode(secret + "==")

def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

def passport(sub, name, role, seconds):
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    exp = int(time.time()) + int(seconds)
    claims = {"aud": "lectern", "sub": sub, "name": name, "role": role, "exp": exp}
    text = part(json.dumps(header).encode()) + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.digest(key, text.encode(), hashlib.sha256))

print(passport(*sys.argv[1:]))
