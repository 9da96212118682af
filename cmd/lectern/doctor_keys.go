package main

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

func (d *doctor) lookAtKeys(_ context.Context, c *chart) {
	signing, encryption := d.keys.Signing, d.keys.Encryption
	if d.isWrongSecret(signingKeys) || d.isWrongSecret(encryptionKeys) {
		return // which was said
	}
	switch {
	case len(signing) > 0:
		d.lookAtKind(c, signingKeys, "signs", signing)
	case d.isWrong("postgres-url"):
	case d.embedded():
		d.lookAtGenerated(c, "passport-keys")
	default:
		c.mend("Make one with `lectern keys`, once, and give it to all instances", "%s is not set, which all instances need: on Postgres none is generated", signingKeys)
	}
	switch {
	case len(encryption) > 0:
		d.lookAtKind(c, encryptionKeys, "encrypts", encryption)
	case d.keys.EncryptionRequired && !d.embedded():
		c.mend("Make one with `lectern keys`, once, and give it to all instances", "LECTERN_PASSPORT_ENCRYPTED is required, and %s is not set", encryptionKeys)
	}
	if _, err := room.NewKeyring(d.keys); err != nil && len(signing) > 0 && len(encryption) > 0 {
		c.mend("Make one with `lectern keys`", "%s: %v", encryptionKeys, err)
	}
}

// isWrongSecret tells whether a secret could not be read.
func (d *doctor) isWrongSecret(name string) bool {
	for _, err := range d.wrong {
		if strings.HasPrefix(err.Error(), name+":") || strings.HasPrefix(err.Error(), name+"_FILE") || strings.HasPrefix(err.Error(), name+" and ") {
			return true
		}
	}
	return false
}

// fewestDifferent is how many different bytes 32 random ones have at the least,
// but for once in 10^30 times.
const fewestDifferent = 16

// lookAtKind says which keys there are, never what they are.
func (d *doctor) lookAtKind(c *chart, setting, does string, keys []room.Key) {
	lengths, names := map[int]bool{}, []string{}
	for _, key := range keys {
		_, text, _ := strings.Cut(key.Reveal(), ":")
		secret, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			continue // it was read so
		}
		lengths[len(secret)] = true
		names = append(names, key.ID)
		different := map[byte]bool{}
		for _, b := range secret {
			different[b] = true
		}
		if len(different) < fewestDifferent {
			c.mend("Make one with `lectern keys`", "%s: key %q is not random, so that others may guess it and sign as anyone", setting, key.ID)
		}
	}
	if len(lengths) > 1 {
		c.note("See that each was pasted whole", "%s: the keys %s have different lengths", setting, strings.Join(names, ", "))
		return
	}
	c.ok("%s: %s %s; %d in all", setting, names[0], does, len(names))
}

// privateMode is what nobody but the owner may have on a generated file.
const privateMode = 0o077

// lookAtGenerated looks at the keys that an embedded instance makes for itself.
func (d *doctor) lookAtGenerated(c *chart, name string) {
	file := filepath.Join(d.data, name)
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		c.ok("none yet: the first start makes them in %s", d.data)
		return
	}
	var keys []room.Key
	if err == nil {
		var text []byte
		if text, err = os.ReadFile(file); err == nil {
			keys, err = room.ParseKeys(strings.TrimSpace(string(text)))
		}
	}
	switch {
	case err != nil:
		c.mend("Give it back to the server's user, or delete it: a new one is made, and passports so far are worth nothing", "the generated keys cannot be read: %v", err)
	case info.Mode()&privateMode != 0:
		c.mend("chmod 600 "+file, "others on this machine may read %s (mode %04o), and sign as anyone", file, info.Mode().Perm())
	default:
		c.ok("generated in %s: %s signs", file, keys[0])
	}
}

func (d *doctor) lookAtPublicKeys(ctx context.Context, c *chart) {
	if d.jwks == "" || d.isWrong("passport-jwks") {
		return
	}
	ring, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{room.NewKey("doctor")}})
	if err != nil {
		c.mend("", "%v", err)
		return
	}
	began := time.Now()
	if err := loadJWKS(ctx, ring, d.jwks); err != nil {
		c.mend("Make it a key set (RFC 7517) that this machine reaches: without it no instance starts", "%v", err)
		return
	}
	if u, err := url.Parse(d.jwks); err == nil && u.Scheme == "http" && !isLoopback(u.Host) {
		c.note("Take it over https://", "whoever is on the way to %s may sign as anyone", d.jwks)
		return
	}
	c.ok("%s was read in %s", d.jwks, time.Since(began).Round(time.Millisecond))
}
