// node passport.mjs s42 Kim student 28800
import { createHmac } from "node:crypto";

const [kid, secret] = process.env.LECTERN_PASSPORT_KEYS.split(",")[0].split(":");

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function passport(sub, name, role, seconds) {
  const exp = Math.floor(Date.now() / 1000) + Number(seconds);
  const claims = { aud: "lectern", sub, name, role, exp };
  const text = part({ alg: "HS256", typ: "JWT", kid }) + "." + part(claims);
  const signature = createHmac("sha256", Buffer.from(secret, "base64")).update(text);
  return text + "." + signature.digest("base64url");
}

console.log(passport(...process.argv.slice(2)));
