package room

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
)

// A KeyConfig says which keys make and open passports.
type KeyConfig struct {
	Signing            []Key // the first signs, all verify
	Encryption         []Key // the first encrypts, all decrypt
	EncryptionRequired bool  // refuse passports that are only signed
}

// A Keyring makes passports and reads them. It is static after construction
// but for the public keys, see SetJWKS, and safe for concurrent use.
type Keyring struct {
	seen               atomic.Pointer[seenHeader]
	signer             jose.Signer
	encrypter          jose.Encrypter // nil: there is no key to encrypt with
	shared             map[string]verifier
	decryption         map[string][]byte
	encryptionRequired bool
	public             atomic.Pointer[map[string]verifier]
}

// A verifier is a key and the one algorithm that it is for.
type verifier struct {
	key        any
	algorithms []jose.SignatureAlgorithm // exactly one
}

// NewKeyring makes a keyring. Its errors say what does not fit together.
func NewKeyring(c KeyConfig) (*Keyring, error) {
	k := &Keyring{
		shared:             map[string]verifier{},
		decryption:         map[string][]byte{},
		encryptionRequired: c.EncryptionRequired,
	}
	k.public.Store(&map[string]verifier{})
	if len(c.Signing) == 0 {
		return nil, errors.New("no key to sign passports with")
	}
	if c.EncryptionRequired && len(c.Encryption) == 0 {
		return nil, errors.New("passports must be encrypted, but there is no key to encrypt them with")
	}
	for _, key := range c.Signing {
		k.shared[key.ID] = verifier{key: newSharedKey(key.secret), algorithms: []jose.SignatureAlgorithm{jose.HS256}}
	}
	for _, key := range c.Encryption {
		if len(key.secret) != keyBytes {
			return nil, fmt.Errorf("encryption key %q has %d bytes: exactly %d are needed", key.ID, len(key.secret), keyBytes)
		}
		k.decryption[key.ID] = key.secret
	}
	return k, k.prepare(c)
}

func (k *Keyring) prepare(c KeyConfig) (err error) {
	first := c.Signing[0]
	k.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.HS256, Key: first.secret},
		new(jose.SignerOptions).WithType("JWT").WithHeader("kid", first.ID))
	if err != nil || len(c.Encryption) == 0 {
		return err
	}
	first = c.Encryption[0]
	k.encrypter, err = jose.NewEncrypter(jose.A256GCM,
		jose.Recipient{Algorithm: jose.DIRECT, Key: first.secret, KeyID: first.ID},
		new(jose.EncrypterOptions).WithContentType("JWT"))
	return err
}

// minRSABits is the least that RFC 7518 allows for RS256.
const minRSABits = 2048

// SetJWKS replaces the public keys by those of a JSON Web Key Set. Keys of
// other kinds or uses are passed over. On an error the keys stay as they were.
func (k *Keyring) SetJWKS(data []byte) error {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return fmt.Errorf("read key set: %w", err)
	}
	public := map[string]verifier{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(raw); err != nil {
			continue // of a kind that is not ours
		}
		if !key.IsPublic() {
			return fmt.Errorf("key %q of the key set is not a public one", key.KeyID)
		}
		algorithm := algorithmOf(key)
		if algorithm == "" || key.KeyID == "" {
			continue
		}
		_, shared := k.shared[key.KeyID]
		if _, twice := public[key.KeyID]; twice || shared {
			return fmt.Errorf("two keys are named %q", key.KeyID)
		}
		public[key.KeyID] = verifier{key: key.Key, algorithms: []jose.SignatureAlgorithm{algorithm}}
	}
	if len(public) == 0 {
		return errors.New("the key set has no named key for EdDSA, ES256 or RS256")
	}
	k.public.Store(&public)
	return nil
}

// algorithmOf returns the one algorithm that a public key is for, "" if it is
// for none of ours.
func algorithmOf(key jose.JSONWebKey) jose.SignatureAlgorithm {
	var algorithm jose.SignatureAlgorithm
	switch public := key.Key.(type) {
	case ed25519.PublicKey:
		algorithm = jose.EdDSA
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			algorithm = jose.ES256
		}
	case *rsa.PublicKey:
		if public.N.BitLen() >= minRSABits {
			algorithm = jose.RS256
		}
	}
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return ""
	}
	return algorithm
}

// maxToken is well above what a passport needs and well under what proxies
// allow a header to have.
const maxToken = 4 << 10

// A joseHeader is what is known of a token before it is known to be genuine.
type joseHeader struct {
	Algorithm   string `json:"alg"`
	KeyID       string `json:"kid"`
	Encryption  string `json:"enc"`
	ContentType string `json:"cty"`

	// What lets a token choose its own key, or how it is read.
	JKU  josejson.RawMessage `json:"jku"`
	JWK  josejson.RawMessage `json:"jwk"`
	X5U  josejson.RawMessage `json:"x5u"`
	Crit josejson.RawMessage `json:"crit"`
	Zip  josejson.RawMessage `json:"zip"`
	B64  josejson.RawMessage `json:"b64"`
}

// open returns the payload of a token that one of the keys signed, and
// whether it was one of the shared keys.
func (k *Keyring) open(token string) (payload []byte, shared bool, err error) {
	switch {
	case token == "":
		return nil, false, bad("missing", "there is none")
	case len(token) > maxToken:
		return nil, false, bad("too_long", "it has %d bytes, more than %d", len(token), maxToken)
	case !canonical(token):
		return nil, false, bad("malformed", "a part of it is not base64url")
	}
	switch strings.Count(token, ".") {
	case 2:
		if k.encryptionRequired {
			return nil, false, bad("not_encrypted", "it is signed, but not encrypted")
		}
	case 4:
		if token, err = k.decrypt(token); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, bad("malformed", "it is not a token of three or five parts")
	}
	return k.verify(token)
}

// strict knows one spelling of each value.
var strict = base64.RawURLEncoding.Strict()

// sextets are the six bits of each character of base64url; -1: there are none.
var sextets = func() (bits [256]int8) {
	for c := range bits {
		bits[c] = int8(strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", byte(c)))
	}
	return bits
}()

// canonical tells whether the parts of a token are base64url as encoders
// write it, so that a token has one spelling.
func canonical(token string) bool {
	for part := range strings.SplitSeq(token, ".") {
		if !canonicalPart(part) {
			return false
		}
	}
	return true
}

func canonicalPart(part string) bool {
	var last int8
	for i := range len(part) {
		if last = sextets[part[i]]; last < 0 {
			return false
		}
	}
	switch len(part) % 4 { // of the last bits, not all belong to a byte
	case 1:
		return false
	case 2:
		return last&0b1111 == 0
	case 3:
		return last&0b11 == 0
	}
	return true
}

func parseHeader(token string) (h joseHeader, err error) {
	encoded, _, _ := strings.Cut(token, ".")
	data, err := strict.DecodeString(encoded)
	if err != nil {
		return h, bad("malformed", "its header is not base64url")
	}
	if err := josejson.Unmarshal(data, &h); err != nil {
		return h, bad("header", "its header: %v", err)
	}
	if h.JKU != nil || h.JWK != nil || h.X5U != nil || h.Crit != nil || h.Zip != nil || h.B64 != nil {
		return h, bad("header", "its header has jku, jwk, x5u, crit, zip or b64")
	}
	return h, nil
}

// A seenHeader is the header of the genuine token that was verified last: an
// issuer's are all the same, and to parse one is a third of the work.
type seenHeader struct {
	encoded string
	joseHeader
}

// header is parseHeader for signed tokens.
func (k *Keyring) header(token string) (joseHeader, error) {
	encoded, _, _ := strings.Cut(token, ".")
	if seen := k.seen.Load(); seen != nil && seen.encoded == encoded {
		return seen.joseHeader, nil
	}
	return parseHeader(token)
}

// see remembers the header of a genuine token.
func (k *Keyring) see(token string, h joseHeader) {
	encoded, _, _ := strings.Cut(token, ".")
	if seen := k.seen.Load(); seen == nil || seen.encoded != encoded {
		k.seen.Store(&seenHeader{strings.Clone(encoded), h})
	}
}

func (k *Keyring) verify(token string) (payload []byte, shared bool, err error) {
	h, err := k.header(token)
	if err != nil {
		return nil, false, err
	}
	v, shared := k.shared[h.KeyID]
	if !shared {
		v = (*k.public.Load())[h.KeyID]
	}
	switch {
	case v.key == nil:
		return nil, false, bad("key", "kid: no signing key is named %q", h.KeyID)
	case h.Algorithm != string(v.algorithms[0]):
		return nil, false, bad("algorithm", "alg: key %q is for %s, not for %q", h.KeyID, v.algorithms[0], h.Algorithm)
	}
	if key, ok := v.key.(*sharedKey); ok {
		payload, err = key.verify(token)
	} else {
		payload, err = verifyPublic(token, v)
	}
	if err != nil {
		return nil, false, bad("signature", "the signature is not that of key %q", h.KeyID)
	}
	k.see(token, h)
	return payload, shared, nil
}

// A sharedKey does what verifyPublic does for HS256, whose keys most passports
// are signed with, at a small part of the cost. It is safe for concurrent use.
type sharedKey struct{ macs sync.Pool } // of *mac

// A mac is used again and again: to make one costs as much as to use it.
type mac struct {
	hash.Hash
	signed, sum []byte
}

func newSharedKey(secret []byte) *sharedKey {
	return &sharedKey{sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }}}
}

func (k *sharedKey) verify(token string) (payload []byte, err error) {
	end := strings.LastIndexByte(token, '.')
	m := k.macs.Get().(*mac)
	defer k.macs.Put(m)
	m.Reset()
	m.signed = append(m.signed[:0], token[:end]...)
	m.Write(m.signed)
	m.sum = m.Sum(m.sum[:0])
	var signature [sha256.Size]byte
	if len(token)-end-1 != strict.EncodedLen(len(signature)) {
		return nil, jose.ErrCryptoFailure
	}
	if _, err := strict.Decode(signature[:], []byte(token[end+1:])); err != nil || !hmac.Equal(signature[:], m.sum) {
		return nil, jose.ErrCryptoFailure
	}
	return strict.DecodeString(token[strings.IndexByte(token, '.')+1 : end])
}

func verifyPublic(token string, v verifier) (payload []byte, err error) {
	signed, err := jose.ParseSignedCompact(token, v.algorithms)
	if err != nil {
		return nil, err
	}
	return signed.Verify(v.key)
}

// The parts after an encrypted token's header: with "dir" there is no
// encrypted key, and AES-GCM has a nonce of 12 bytes and a tag of 16.
const (
	nonceLen = 16
	tagLen   = 22
)

// decrypt returns the signed token in an encrypted one.
func (k *Keyring) decrypt(token string) (string, error) {
	h, err := parseHeader(token)
	if err != nil {
		return "", err
	}
	key := k.decryption[h.KeyID]
	switch {
	case h.Algorithm != string(jose.DIRECT) || h.Encryption != string(jose.A256GCM) || h.ContentType != "JWT":
		return "", bad("encryption", "alg, enc, cty: %q, %q, %q, not %q, %q, %q",
			h.Algorithm, h.Encryption, h.ContentType, jose.DIRECT, jose.A256GCM, "JWT")
	case key == nil:
		return "", bad("key", "kid: no encryption key is named %q", h.KeyID)
	}
	parts := strings.Split(token, ".")
	if parts[1] != "" || len(parts[2]) != nonceLen || len(parts[4]) != tagLen {
		return "", bad("malformed", "its parts do not have the lengths of %s", jose.A256GCM)
	}
	sealed, err := jose.ParseEncryptedCompact(token,
		[]jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return "", bad("malformed", "%v", err)
	}
	inner, err := sealed.Decrypt(key)
	if err != nil {
		return "", bad("encryption", "key %q does not decrypt it", h.KeyID)
	}
	if !canonical(string(inner)) || strings.Count(string(inner), ".") != 2 {
		return "", bad("malformed", "what is encrypted is not a signed token")
	}
	return string(inner), nil
}

func (k *Keyring) sign(payload []byte) (string, error) {
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign a passport: %w", err)
	}
	return signed.CompactSerialize()
}

func (k *Keyring) encrypt(token string) (string, error) {
	if k.encrypter == nil {
		return "", errors.New("encrypt a passport: there is no encryption key")
	}
	sealed, err := k.encrypter.Encrypt([]byte(token))
	if err != nil {
		return "", fmt.Errorf("encrypt a passport: %w", err)
	}
	return sealed.CompactSerialize()
}
