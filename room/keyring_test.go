package room

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// someday is when the passports of these tests are read.
var someday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// testKeys are two keyrings that know each other's keys, and what signs for
// the public ones.
type testKeys struct {
	*Keyring
	hs, old, enc Key
	ed           ed25519.PrivateKey
	ec           *ecdsa.PrivateKey
	rsa          *rsa.PrivateKey
	jwks         []byte
}

func newTestKeys(t testing.TB, required bool) *testKeys {
	t.Helper()
	k := &testKeys{hs: NewKey("hs"), old: NewKey("old"), enc: NewKey("enc")}
	var errs [4]error
	_, k.ed, errs[0] = ed25519.GenerateKey(rand.Reader)
	k.ec, errs[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.rsa, errs[2] = rsa.GenerateKey(rand.Reader, minRSABits)
	k.Keyring, errs[3] = NewKeyring(KeyConfig{
		Signing: []Key{k.hs, k.old}, Encryption: []Key{k.enc, NewKey("older")}, EncryptionRequired: required,
	})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	k.jwks = keySet(t,
		jose.JSONWebKey{KeyID: "ed", Key: k.ed.Public()},
		jose.JSONWebKey{KeyID: "ec", Key: k.ec.Public(), Algorithm: "ES256", Use: "sig"},
		jose.JSONWebKey{KeyID: "rsa", Key: k.rsa.Public()})
	if err := k.SetJWKS(k.jwks); err != nil {
		t.Fatal(err)
	}
	return k
}

func keySet(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// hmacToken signs any header and payload by hand.
func hmacToken(header, payload string, secret []byte) string {
	signed := encode(header) + "." + encode(payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + encode(string(mac.Sum(nil)))
}

// publicToken signs a payload with one of the private keys.
func (k *testKeys) publicToken(t testing.TB, kid, payload string) string {
	t.Helper()
	with := map[string]jose.SigningKey{
		"ed":  {Algorithm: jose.EdDSA, Key: k.ed},
		"ec":  {Algorithm: jose.ES256, Key: k.ec},
		"rsa": {Algorithm: jose.RS256, Key: k.rsa},
	}[kid]
	signer, err := jose.NewSigner(with, new(jose.SignerOptions).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func studentClaims(more string) string {
	return fmt.Sprintf(`{"aud":"lectern","sub":"s1","role":"student","exp":%d%s}`, someday.Add(time.Hour).Unix(), more)
}

// reasonOf returns why a passport was refused, "" if it was not.
func reasonOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var why *BadPassport
	if !errors.As(err, &why) || !errors.Is(err, ErrUnauthorized) {
		t.Fatalf("%v is not a BadPassport that is ErrUnauthorized to a client", err)
	}
	return why.Reason
}

func TestKeysAndHeaders(t *testing.T) {
	k := newTestKeys(t, false)
	good := studentClaims("")
	inner := hmacToken(`{"alg":"HS256","kid":"hs"}`, good, k.hs.secret)
	pem, err := json.Marshal(jose.JSONWebKey{Key: k.rsa.Public()})
	if err != nil {
		t.Fatal(err)
	}
	jwe := func(header string, key Key, plain string) string {
		var h map[string]any
		if err := json.Unmarshal([]byte(header), &h); err != nil {
			t.Fatal(err)
		}
		options := new(jose.EncrypterOptions)
		for name, value := range h {
			options.WithHeader(jose.HeaderKey(name), value)
		}
		e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key.secret, KeyID: key.ID}, options)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := e.Encrypt([]byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		token, err := sealed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	nested := jwe(`{"cty":"JWT"}`, k.enc, inner)
	part := strings.Split(nested, ".")

	for name, test := range map[string]struct{ token, reason string }{
		"first key":        {inner, ""},
		"older key":        {hmacToken(`{"alg":"HS256","kid":"old","typ":"JWT"}`, good, k.old.secret), ""},
		"EdDSA":            {k.publicToken(t, "ed", good), ""},
		"ES256":            {k.publicToken(t, "ec", good), ""},
		"RS256":            {k.publicToken(t, "rsa", good), ""},
		"encrypted":        {nested, ""},
		"unknown headers":  {hmacToken(`{"alg":"HS256","kid":"hs","x5t":"aGk","tenant":{"a":1}}`, good, k.hs.secret), ""},
		"empty":            {"", "missing"},
		"one part":         {"abcd", "malformed"},
		"two parts":        {"abcd.abcd", "malformed"},
		"four parts":       {"abcd.abcd.abcd.abcd", "malformed"},
		"six parts":        {nested + ".abcd", "malformed"},
		"nothing in parts": {"..", "header"},
		"no signature":     {strings.Join(strings.Split(inner, ".")[:2], ".") + ".", "signature"},
		"JSON form":        {`{"payload":"abcd","protected":"abcd","signature":"abcd"}`, "malformed"},
		"padded":           {inner + "=", "malformed"},
		"line feed":        {inner[:20] + "\n" + inner[20:], "malformed"},
		"space around":     {" " + inner, "malformed"},
		"too long":         {hmacToken(`{"alg":"HS256","kid":"hs"}`, studentClaims(`,"x":"`+strings.Repeat("x", maxToken)+`"`), k.hs.secret), "too_long"},
		"alg none":         {encode(`{"alg":"none","kid":"hs"}`) + "." + encode(good) + ".", "algorithm"},
		"alg None":         {hmacToken(`{"alg":"None","kid":"hs"}`, good, k.hs.secret), "algorithm"},
		"no alg":           {hmacToken(`{"kid":"hs"}`, good, k.hs.secret), "algorithm"},
		"HS384":            {hmacToken(`{"alg":"HS384","kid":"hs"}`, good, k.hs.secret), "algorithm"},
		"RS256 of HS":      {hmacToken(`{"alg":"RS256","kid":"hs"}`, good, k.hs.secret), "algorithm"},
		"RSA key as HMAC":  {hmacToken(`{"alg":"HS256","kid":"rsa"}`, good, pem), "algorithm"},
		"Ed key as HMAC":   {hmacToken(`{"alg":"HS256","kid":"ed"}`, good, k.ed.Public().(ed25519.PublicKey)), "algorithm"},
		"alg number":       {hmacToken(`{"alg":1,"kid":"hs"}`, good, k.hs.secret), "header"},
		"no kid":           {hmacToken(`{"alg":"HS256"}`, good, k.hs.secret), "key"},
		"kid null":         {hmacToken(`{"alg":"HS256","kid":null}`, good, k.hs.secret), "key"},
		"unknown kid":      {hmacToken(`{"alg":"HS256","kid":"hs2"}`, good, k.hs.secret), "key"},
		"other case":       {hmacToken(`{"ALG":"HS256","Kid":"hs"}`, good, k.hs.secret), "key"},
		"wrong key":        {hmacToken(`{"alg":"HS256","kid":"hs"}`, good, k.old.secret), "signature"},
		"encryption key":   {hmacToken(`{"alg":"HS256","kid":"enc"}`, good, k.enc.secret), "key"},
		"kid twice":        {hmacToken(`{"alg":"HS256","kid":"hs","kid":"hs"}`, good, k.hs.secret), "header"},
		"alg twice":        {hmacToken(`{"alg":"none","alg":"HS256","kid":"hs"}`, good, k.hs.secret), "header"},
		"jku":              {hmacToken(`{"alg":"HS256","kid":"hs","jku":"https://evil.example"}`, good, k.hs.secret), "header"},
		"jwk":              {hmacToken(`{"alg":"HS256","kid":"hs","jwk":{"kty":"oct","k":"AA"}}`, good, k.hs.secret), "header"},
		"jwk null":         {hmacToken(`{"alg":"HS256","kid":"hs","jwk":null}`, good, k.hs.secret), "header"},
		"x5u":              {hmacToken(`{"alg":"HS256","kid":"hs","x5u":"https://evil.example"}`, good, k.hs.secret), "header"},
		"crit":             {hmacToken(`{"alg":"HS256","kid":"hs","crit":["exp"]}`, good, k.hs.secret), "header"},
		"crit empty":       {hmacToken(`{"alg":"HS256","kid":"hs","crit":[]}`, good, k.hs.secret), "header"},
		"zip":              {hmacToken(`{"alg":"HS256","kid":"hs","zip":"DEF"}`, good, k.hs.secret), "header"},
		"b64":              {hmacToken(`{"alg":"HS256","kid":"hs","b64":false}`, good, k.hs.secret), "header"},
		"header an array":  {hmacToken(`["HS256"]`, good, k.hs.secret), "header"},
		"header more":      {hmacToken(`{"alg":"HS256","kid":"hs"}{}`, good, k.hs.secret), "header"},

		"other content":   {jwe(`{"cty":"text"}`, k.enc, inner), "encryption"},
		"no content type": {jwe(`{}`, k.enc, inner), "encryption"},
		"compressed":      {jwe(`{"cty":"JWT","zip":"DEF"}`, k.enc, inner), "header"},
		"stranger's key":  {jwe(`{"cty":"JWT"}`, NewKey("enc"), inner), "encryption"},
		"unknown enc kid": {jwe(`{"cty":"JWT"}`, NewKey("nobody"), inner), "key"},
		"claims inside":   {jwe(`{"cty":"JWT"}`, k.enc, good), "malformed"},
		"twice encrypted": {jwe(`{"cty":"JWT"}`, k.enc, nested), "malformed"},
		"forged inside":   {jwe(`{"cty":"JWT"}`, k.enc, hmacToken(`{"alg":"HS256","kid":"hs"}`, good, k.enc.secret)), "signature"},
		"encrypted key":   {strings.Join([]string{part[0], "abcd", part[2], part[3], part[4]}, "."), "malformed"},
		"tag moved":       {strings.Join([]string{part[0], "", part[2], part[3][:len(part[3])-4], part[3][len(part[3])-4:] + part[4]}, "."), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := k.Parse(test.token, someday)
			if got := reasonOf(t, err); got != test.reason {
				t.Fatalf("refused as %q (%v), want %q", got, err, test.reason)
			}
			if err == nil && p.Caller != (Caller{User: "s1", Name: "s1", Role: Student}) {
				t.Fatalf("passport of %+v", p.Caller)
			}
		})
	}
}

// A token is canonical if and only if each of its parts is what an encoder
// makes of what a decoder reads in it.
func TestCanonical(t *testing.T) {
	check := func(part string) {
		t.Helper()
		data, err := base64.RawURLEncoding.DecodeString(part)
		want := err == nil && base64.RawURLEncoding.EncodeToString(data) == part
		for _, token := range []string{part, part + ".", "." + part, "YQ." + part + ".YWI"} {
			if !strings.Contains(part, ".") && canonical(token) != want {
				t.Fatalf("%q: canonical is %v", token, !want)
			}
		}
	}
	for a := range 256 {
		check(string([]byte{byte(a)}))
		for b := range 256 {
			check(string([]byte{byte(a), byte(b)}))
			check("YW" + string([]byte{byte(a), byte(b)}))
			check("YWJj" + string([]byte{'Y', byte(a), byte(b)}))
			check("YWJj" + string([]byte{byte(a), byte(b)}))
		}
	}
}

func TestEncryptionRequired(t *testing.T) {
	k := newTestKeys(t, true)
	p := Passport{Caller{"s1", "Kim", Student}, someday.Add(time.Hour)}
	sealed, err := k.Seal(p, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Parse(sealed, someday); err != nil || got != p {
		t.Fatalf("own passport read as %+v, %v", got, err)
	}
	plain := hmacToken(`{"alg":"HS256","kid":"hs"}`, studentClaims(""), k.hs.secret)
	if _, err := k.Parse(plain, someday); reasonOf(t, err) != "not_encrypted" {
		t.Fatalf("plain passport: %v", err)
	}
	invitation := Invitation{Room: "R1", ExpiresAt: someday.Add(time.Hour)}
	sealed, err = k.Invite(invitation)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.ParseInvitation(sealed, someday); err != nil || got != invitation {
		t.Fatalf("own invitation read as %+v, %v", got, err)
	}
}

func TestParseKeys(t *testing.T) {
	secret := strings.Repeat("\xfb\xff", 16)
	std, url := base64.StdEncoding.EncodeToString([]byte(secret)), encode(secret)
	for name, test := range map[string]struct {
		text string
		ids  string
		err  string
	}{
		"one":           {"a:" + std, "[a]", ""},
		"URL alphabet":  {"a:" + url, "[a]", ""},
		"URL, padded":   {"a:" + url + "=", "[a]", ""},
		"two":           {" a:" + std + " , b:" + url + "\n", "[a b]", ""},
		"empty":         {"", "", "key 1 has no name"},
		"trailing":      {"a:" + std + ",", "", "key 2 has no name"},
		"no kid":        {std, "", "key 1 has no name"},
		"empty kid":     {":" + std, "", "key 1 has no name"},
		"long kid":      {strings.Repeat("k", 65) + ":" + std, "", "key 1 has no name"},
		"control kid":   {"a\x01:" + std, "", "key 1 has no name"},
		"not base64":    {"a:SECRET!" + std, "", `key "a" is not base64`},
		"too short":     {"a:" + encode(secret[:31]), "", `key "a" has 31 bytes`},
		"nothing":       {"a:", "", `key "a" has 0 bytes`},
		"named alike":   {"a:" + std + ",a:" + std, "", `two keys are named "a"`},
		"second is bad": {"a:" + std + ",b:QQ", "", `key "b" has 1 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParseKeys(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "SECRET") {
					t.Fatalf("error %v, want %q and no secret", err, test.err)
				}
				return
			}
			if err != nil || fmt.Sprint(keys) != test.ids || fmt.Sprintf("%#v", keys[0]) != "a" {
				t.Fatalf("keys %v, %v", keys, err)
			}
			if again, err := ParseKeys(keys[0].Reveal()); err != nil || string(again[0].secret) != secret {
				t.Fatalf("revealed as %v, %v", again, err)
			}
		})
	}
}

func TestNewKeyring(t *testing.T) {
	long, err := ParseKeys("long:" + encode(strings.Repeat("k", 48)))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config KeyConfig
		err    string
	}{
		"long signing key":    {KeyConfig{Signing: long}, ""},
		"nothing":             {KeyConfig{}, "no key to sign"},
		"long encryption key": {KeyConfig{Signing: long, Encryption: long}, "exactly 32"},
		"required, no key":    {KeyConfig{Signing: long, EncryptionRequired: true}, "no key to encrypt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKeyring(test.config)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
		})
	}
}

func TestSetJWKS(t *testing.T) {
	k := newTestKeys(t, false)
	small := &rsa.PublicKey{N: new(big.Int).Rsh(k.rsa.N, 1024), E: k.rsa.E}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := jose.JSONWebKey{KeyID: "ed", Key: k.ed.Public()}
	for name, test := range map[string]struct {
		data []byte
		err  string
	}{
		"one":             {keySet(t, ed), ""},
		"others too":      {[]byte(strings.Replace(string(keySet(t, ed)), "[", `[{"kty":"EC","crv":"secp256k1","kid":"x"},{"kty":"new"},`, 1)), ""},
		"not JSON":        {[]byte("<html>"), "read key set"},
		"empty":           {[]byte("{}"), "no named key"},
		"no kid":          {keySet(t, jose.JSONWebKey{Key: k.ed.Public()}), "no named key"},
		"for encryption":  {keySet(t, jose.JSONWebKey{KeyID: "a", Key: k.rsa.Public(), Use: "enc"}), "no named key"},
		"for PS256":       {keySet(t, jose.JSONWebKey{KeyID: "a", Key: k.rsa.Public(), Algorithm: "PS256"}), "no named key"},
		"1024 bits":       {keySet(t, jose.JSONWebKey{KeyID: "a", Key: small}), "no named key"},
		"P-384":           {keySet(t, jose.JSONWebKey{KeyID: "a", Key: p384.Public()}), "no named key"},
		"private":         {keySet(t, jose.JSONWebKey{KeyID: "a", Key: k.ed}), "not a public one"},
		"symmetric":       {keySet(t, ed, jose.JSONWebKey{KeyID: "a", Key: k.hs.secret}), "not a public one"},
		"twice":           {keySet(t, ed, ed), `two keys are named "ed"`},
		"named as shared": {keySet(t, jose.JSONWebKey{KeyID: "hs", Key: k.ed.Public()}), `two keys are named "hs"`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := k.SetJWKS(k.jwks); err != nil {
				t.Fatal(err)
			}
			err := k.SetJWKS(test.data)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			_, err = k.Parse(k.publicToken(t, "rsa", studentClaims("")), someday)
			if reason := reasonOf(t, err); (reason == "") != (test.err != "") {
				t.Fatalf("passport of a key that is gone, unless there was an error: %q", reason)
			}
		})
	}
}
