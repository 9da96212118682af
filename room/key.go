package room

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// A Key is a secret that signs (HS256, at least 32 bytes) or encrypts
// (A256GCM, 32 bytes) passports, and the "kid" that names it in them.
type Key struct {
	ID     string
	secret []byte
}

// keyBytes is the length of SHA-256's output, below which RFC 7518 allows no
// HS256 key, and of an AES-256 key.
const keyBytes = 32

// NewKey makes a key of 32 random bytes.
func NewKey(id string) Key {
	k := Key{ID: id, secret: make([]byte, keyBytes)}
	rand.Read(k.secret)
	return k
}

// String returns the key's name, never its secret.
func (k Key) String() string { return k.ID }

// GoString is as String.
func (k Key) GoString() string { return k.ID }

// Reveal returns the key as ParseKeys reads it.
func (k Key) Reveal() string { return k.ID + ":" + base64.RawURLEncoding.EncodeToString(k.secret) }

// ParseKeys reads keys as the settings have them, "kid:base64key,…", in the
// standard or the URL alphabet, padded or not. Its errors show no secret.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for i, entry := range strings.Split(text, ",") {
		id, encoded, found := strings.Cut(strings.TrimSpace(entry), ":")
		if !found || len(id) < 1 || len(id) > 64 || !printable(id) {
			return nil, fmt.Errorf("key %d has no name: accepted is kid:base64key, with a kid of 1 to 64 characters", i+1)
		}
		encoded = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(encoded, "="))
		secret, err := base64.RawStdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("key %q is not base64", id)
		}
		if len(secret) < keyBytes {
			return nil, fmt.Errorf("key %q has %d bytes: at least %d are needed", id, len(secret), keyBytes)
		}
		for _, other := range keys {
			if other.ID == id {
				return nil, fmt.Errorf("two keys are named %q", id)
			}
		}
		keys = append(keys, Key{ID: id, secret: secret})
	}
	return keys, nil
}
