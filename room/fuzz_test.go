package room

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	josejson "github.com/go-jose/go-jose/v4/json"
)

// FuzzPassport: whatever a stranger sends is refused, and so is whatever was
// made of a genuine passport; of what an issuer signs, only what says who it is
// for, for whom, and until when is accepted, and that is what is read.
func FuzzPassport(f *testing.F) {
	k := newTestKeys(f, false)
	public := []string{
		k.publicToken(f, "ed", studentClaims("")), k.publicToken(f, "ec", studentClaims("")), k.publicToken(f, "rsa", studentClaims("")),
	}
	// Of the signed token, or one of the public keys', cut bytes at a place
	// make room for others.
	f.Fuzz(func(t *testing.T, header, payload string, encrypt bool, of uint8, at uint16, cut uint8, put string) {
		k.refuses(t, header, payload, header+"."+payload, encode(header)+"."+encode(payload)+"."+encode(payload))
		checkClaims(t, payload)
		token := hmacToken(header, payload, k.hs.secret)
		if encrypt {
			sealed, err := k.encrypt(token)
			if err != nil {
				t.Fatal(err)
			}
			token = sealed
		}
		k.checkSigned(t, token, header, payload)
		genuine := append(public, token)[of%4]
		start := int(at) % len(genuine)
		forged := genuine[:start] + put + genuine[min(start+int(cut), len(genuine)):]
		if forged != genuine {
			k.refuses(t, forged)
		}
	})
}

// refuses checks that nobody takes these for passports.
func (k *testKeys) refuses(t *testing.T, tokens ...string) {
	for _, token := range tokens {
		if p, err := k.Parse(token, someday); reasonOf(t, err) == "" {
			t.Fatalf("accepted %q as %+v", token, p)
		}
		if i, err := k.ParseInvitation(token, someday); reasonOf(t, err) == "" {
			t.Fatalf("accepted %q as %+v", token, i)
		}
	}
}

// checkClaims checks that claims that are read without a decoder are what one
// reads.
func checkClaims(t *testing.T, payload string) {
	if !utf8.ValidString(payload) {
		return
	}
	var decoded claims
	if c, plain := plainClaims([]byte(payload)); plain && (josejson.Unmarshal([]byte(payload), &decoded) != nil || !reflect.DeepEqual(c, decoded)) {
		t.Fatalf("read %s as %+v, decoded as %+v", payload, c, decoded)
	}
}

// checkSigned compares what is read of a token that a shared key signed with
// what another decoder reads.
func (k *testKeys) checkSigned(t *testing.T, token, header, payload string) {
	p, err := k.Parse(token, someday)
	i, errInvitation := k.ParseInvitation(token, someday)
	user, invitation := reasonOf(t, err) == "", reasonOf(t, errInvitation) == ""
	if !user && !invitation {
		return
	}
	var h, c map[string]any
	if json.Unmarshal([]byte(header), &h) != nil || h["alg"] != "HS256" || h["kid"] != "hs" || json.Unmarshal([]byte(payload), &c) != nil {
		t.Fatalf("accepted %s of %s", payload, header)
	}
	exp, _ := c["exp"].(float64)
	expires := time.UnixMilli(int64(math.Floor(exp * 1000))).UTC()
	if !expires.After(someday) {
		t.Fatalf("accepted %s, which has expired", payload)
	}
	if user {
		name, named := c["name"].(string)
		if !named {
			name, _ = c["sub"].(string)
		}
		if !saysFor(c, "lectern") || c["sub"] != string(p.User) || c["role"] != string(p.Role) || p.Name != name || !p.ExpiresAt.Equal(expires) || p.check() != nil {
			t.Fatalf("%s is read as %+v", payload, p)
		}
		k.checkSealed(t, p)
	}
	if invitation {
		renewals, _ := c["renewals"].(float64)
		if !saysFor(c, "lectern/room") || c["room"] != string(i.Room) || renewals != float64(i.Renewals) || !i.ExpiresAt.Equal(expires) {
			t.Fatalf("%s is read as %+v", payload, i)
		}
	}
}

// saysFor tells whether claims are for the audience.
func saysFor(c map[string]any, audience string) bool {
	all, _ := c["aud"].([]any)
	return c["aud"] == any(audience) || slices.Contains(all, any(audience))
}

// checkSealed checks that a passport comes back from the token that is made of
// it, to the second.
func (k *testKeys) checkSealed(t *testing.T, p Passport) {
	p.ExpiresAt = p.ExpiresAt.Truncate(time.Second)
	token, err := k.Seal(p, false)
	if err != nil {
		t.Fatalf("%+v cannot be sealed: %v", p, err)
	}
	if again, err := k.Parse(token, someday); p.ExpiresAt.After(someday) && (err != nil || again != p) {
		t.Fatalf("%+v comes back as %+v, %v", p, again, err)
	}
}
