// node jwks.mjs signing.pem keys.json: a private key, and the set with its public half
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";

const [privateFile, setFile] = process.argv.slice(2);
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const kid = "login-" + new Date().toISOString().slice(0, 10);
writeFileSync(privateFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "EdDSA" };
writeFileSync(setFile, JSON.stringify({ keys: [jwk] }));
