package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

type keysCommand struct{}

// Run prints two new keys as lines of an environment.
func (keysCommand) Run(p *program) error {
	_, err := fmt.Fprintf(p.stdout, "%s=%s\n%s=%s\n",
		signingKeys, newKey("s").Reveal(), encryptionKeys, newKey("e").Reveal())
	return err
}

// newKey makes a key whose name says how old it is.
func newKey(kind string) room.Key {
	return room.NewKey(kind + time.Now().UTC().Format("20060102") + "-" + strings.ToLower(room.NewToken()[:4]))
}

// openKeys returns the keyring that the settings describe.
func openKeys(ctx context.Context, c *config) (*room.Keyring, error) {
	keys := c.keys
	switch {
	case c.embedded():
		if err := generateKeys(&keys, c.data); err != nil {
			return nil, fmt.Errorf("LECTERN_DATA: %w", err)
		}
	case len(keys.Signing) == 0:
		return nil, errNoKeys
	}
	ring, err := room.NewKeyring(keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", encryptionKeys, err)
	}
	if c.jwks == "" {
		return ring, nil
	}
	return ring, loadJWKS(ctx, ring, c.jwks)
}

// readKeys is openKeys for who only looks: keys that are still to be made are
// made for the moment, in memory.
func readKeys(ctx context.Context, c *config) (*room.Keyring, error) {
	look := *c
	for _, own := range ownKeys(&look.keys) {
		_, err := os.Stat(filepath.Join(c.data, own.file))
		if c.embedded() && len(*own.keys) == 0 && errors.Is(err, fs.ErrNotExist) {
			*own.keys = []room.Key{newKey(own.name)}
		}
	}
	return openKeys(ctx, &look)
}

// lacksKeys tells whether the keys are still to be made.
func (c *config) lacksKeys() bool {
	_, err := os.Stat(filepath.Join(c.data, signingKeysFile))
	return c.embedded() && len(c.keys.Signing) == 0 && errors.Is(err, fs.ErrNotExist)
}

// errNoKeysHere is why a passport cannot be judged, or made for a server that
// runs.
func (c *config) errNoKeysHere() error {
	return fmt.Errorf("there are no keys in %s: set LECTERN_DATA or %s to what the server has", c.data, signingKeys)
}

const signingKeysFile = "passport-keys"

var errNoKeys = errors.New(signingKeys + " is not set: on Postgres every instance needs the same keys, which `lectern keys` makes; they sign room passports also where others sign people's")

// A kindOfKeys can be made here, and is in a file of the data folder then.
type kindOfKeys struct {
	keys *[]room.Key
	file string
	name string
}

func ownKeys(keys *room.KeyConfig) []kindOfKeys {
	return []kindOfKeys{
		{&keys.Signing, signingKeysFile, "s"},
		{&keys.Encryption, "passport-encryption-keys", "e"},
	}
}

// generateKeys makes the kinds of keys that are not configured, in the data
// folder, where they are from then on.
func generateKeys(keys *room.KeyConfig, data string) error {
	for _, own := range ownKeys(keys) {
		if len(*own.keys) > 0 {
			continue
		}
		generated, err := generatedKeys(filepath.Join(data, own.file), own.name)
		if err != nil {
			return err
		}
		*own.keys = generated
	}
	return nil
}

// generatedKeys returns the keys in a file, which is made if there is none.
// Programs that make it at the same moment get the same keys.
func generatedKeys(file, kind string) ([]room.Key, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := generate(file, kind); err != nil {
			return nil, fmt.Errorf("generate keys: %w", err)
		}
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read generated keys: %w", err)
	}
	keys, err := room.ParseKeys(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read generated keys in %s: %w", file, err)
	}
	return keys, nil
}

// generate puts a whole file in place, unless another program was first.
func generate(file, kind string) (err error) {
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(folder, ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(draft.Name())) }()
	_, err = fmt.Fprintln(draft, newKey(kind).Reveal())
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), file); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

const (
	// jwksEvery is how late a key that an issuer has made is known at most;
	// issuers publish keys well before they use them.
	jwksEvery = 5 * time.Minute
	// jwksAgain is when an issuer that did not answer is asked again.
	jwksAgain = 15 * time.Second
	// jwksTimeout is how long an issuer may take.
	jwksTimeout = 10 * time.Second
	// maxJWKS is well above the size of any key set.
	maxJWKS = 1 << 20
)

// loadJWKS reads public keys from a file or a URL into the keyring.
func loadJWKS(ctx context.Context, ring *room.Keyring, source string) error {
	data, err := readSource(ctx, source)
	if err == nil {
		err = ring.SetJWKS(data)
	}
	if err != nil {
		return fmt.Errorf("LECTERN_PASSPORT_JWKS: public keys of %s: %w", source, err)
	}
	return nil
}

func readSource(ctx context.Context, source string) (data []byte, err error) {
	var body io.ReadCloser
	if strings.Contains(source, "://") {
		body, err = get(ctx, source)
	} else {
		body, err = os.Open(source)
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err = io.ReadAll(io.LimitReader(body, maxJWKS+1))
	if err == nil && len(data) > maxJWKS {
		err = fmt.Errorf("more than %d bytes", maxJWKS)
	}
	return data, err
}

func get(ctx context.Context, address string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: jwksTimeout}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("answered %s", answer.Status)
	}
	return answer.Body, nil
}

// refreshJWKS keeps the public keys fresh until ctx is done. While their
// source does not answer, the keys stay as they are.
func refreshJWKS(ctx context.Context, ring *room.Keyring, source string, log *slog.Logger) {
	wait := jwksEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = jwksEvery
		if err := loadJWKS(ctx, ring, source); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "public keys not refreshed: those read last are in use, and are asked for again", "err", err, "in", jwksAgain)
			wait = jwksAgain
		}
	}
}
