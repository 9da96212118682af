package room

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	josejson "github.com/go-jose/go-jose/v4/json"
)

// A Passport says who is calling, and until when.
type Passport struct {
	Caller
	ExpiresAt time.Time
}

// An Invitation is what a room passport says: its holder may join one room
// without the join code.
type Invitation struct {
	Room      ID        `json:"room"`
	Renewals  int       `json:"renewals"` // of the join code, when it was made: see Header.Renewals
	ExpiresAt time.Time `json:"-"`        // after it, it is none
}

// BadPassport is why a passport was refused. The client hears
// ErrUnauthorized, whatever was wrong.
type BadPassport struct {
	Reason string // one of a dozen, for a metric's label
	Detail string // for an operator; nothing in it is secret
}

func (b *BadPassport) Error() string { return "bad passport: " + b.Detail }

// Unwrap returns ErrUnauthorized.
func (b *BadPassport) Unwrap() error { return ErrUnauthorized }

func bad(reason, format string, args ...any) *BadPassport {
	return &BadPassport{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// What a passport is for: its "aud".
const (
	audienceUser = "lectern"
	audienceRoom = "lectern/room"
)

// clockLeeway is how far the clock of whoever issues passports may be ahead
// of ours. An expiry has no leeway: it is a promise to the issuer.
const clockLeeway = 30 * time.Second

// endOfTime is the last second whose year has four digits, as RFC 3339 has it.
const endOfTime = 253402300799

// claims are a passport's payload, a user's or a room's. Times are in seconds
// since 1970.
type claims struct {
	Audience  audience `json:"aud"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf,omitempty"`
	IssuedAt  *float64 `json:"iat,omitempty"`

	User UserID  `json:"sub,omitempty"`
	Name *string `json:"name,omitempty"`
	Role Role    `json:"role,omitempty"`

	Room     ID  `json:"room,omitempty"`
	Renewals int `json:"renewals,omitempty"`
}

// audience is a string or an array of strings.
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func (a audience) MarshalJSON() ([]byte, error) { return json.Marshal(a[0]) }

// Parse reads a user passport. Its error is a BadPassport.
func (k *Keyring) Parse(token string, now time.Time) (Passport, error) {
	c, shared, err := k.parse(token, audienceUser, now)
	if err != nil {
		return Passport{}, err
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return Passport{}, err
		}
	}
	p := c.passport()
	if err := p.check(); err != nil {
		return Passport{}, err
	}
	if p.Guest() && !shared {
		return Passport{}, bad("claims", "sub: the prefix %q belongs to guest sign-in", GuestPrefix)
	}
	return p, nil
}

// ParseInvitation reads a room passport. Its error is a BadPassport.
func (k *Keyring) ParseInvitation(token string, now time.Time) (Invitation, error) {
	c, _, err := k.parse(token, audienceRoom, now)
	if err != nil {
		return Invitation{}, err
	}
	if len(c.Room) < 1 || len(c.Room) > 64 || !printable(string(c.Room)) || c.Renewals < 0 {
		return Invitation{}, bad("claims", "room or renewals: missing or out of range")
	}
	return Invitation{Room: c.Room, Renewals: c.Renewals, ExpiresAt: c.expiresAt()}, nil
}

// parse returns the claims of a token that one of the keys signed, for this
// audience and this moment, and whether it was one of the shared keys.
func (k *Keyring) parse(token, audience string, now time.Time) (c claims, shared bool, err error) {
	payload, shared, err := k.open(token)
	if err != nil {
		return claims{}, false, err
	}
	// The decoder makes U+FFFD of what is not UTF-8, which would make two
	// users one.
	if !utf8.Valid(payload) {
		return claims{}, false, bad("claims", "the payload is not UTF-8")
	}
	c, plain := plainClaims(payload)
	if !plain {
		c = claims{}
		if err := josejson.Unmarshal(payload, &c); err != nil {
			return claims{}, false, bad("claims", "the payload: %v", err)
		}
	}
	return c, shared, c.check(audience, now)
}

// plainClaims reads claims as issuers write most of them: see PlainObject. All
// others are the decoder's.
func plainClaims(payload []byte) (c claims, plain bool) {
	var expires, notBefore, issuedAt float64
	object := ReadPlain(payload)
	for object.Next() {
		switch string(object.Name()) {
		case "aud":
			c.Audience = audience{string(object.Text())}
		case "exp":
			expires, c.Expires = float64(object.Number()), &expires
		case "nbf":
			notBefore, c.NotBefore = float64(object.Number()), &notBefore
		case "iat":
			issuedAt, c.IssuedAt = float64(object.Number()), &issuedAt
		case "sub":
			c.User = UserID(object.Text())
		case "name":
			name := string(object.Text())
			c.Name = &name
		case "role":
			c.Role = Role(object.Text())
		case "room":
			c.Room = ID(object.Text())
		case "renewals":
			c.Renewals = int(object.Number())
		}
	}
	return c, object.Plain()
}

func (c *claims) check(audience string, now time.Time) error {
	if !slices.Contains(c.Audience, audience) {
		return bad("audience", "aud: %q, not %q", []string(c.Audience), audience)
	}
	if c.Expires == nil || !(*c.Expires >= 0 && *c.Expires <= endOfTime) {
		return bad("claims", "exp: missing or out of range")
	}
	if e := c.expiresAt(); !now.Before(e) {
		return bad("expired", "exp: it expired at %s", e.Format(time.RFC3339))
	}
	soon := float64(now.Add(clockLeeway).UnixMilli()) / 1000
	if c.NotBefore != nil && *c.NotBefore > soon {
		return bad("early", "nbf: it is not valid yet")
	}
	if c.IssuedAt != nil && *c.IssuedAt > soon {
		return bad("early", "iat: it was issued in the future")
	}
	return nil
}

func (c *claims) expiresAt() time.Time {
	return time.UnixMilli(int64(math.Floor(*c.Expires * 1000))).UTC()
}

func (c *claims) passport() Passport {
	p := Passport{Caller: Caller{User: c.User, Name: string(c.User), Role: c.Role}, ExpiresAt: c.expiresAt()}
	if c.Name != nil {
		p.Name = *c.Name
	}
	return p
}

// check refuses a passport that no one may have, whoever signed it.
func (p *Passport) check() error {
	if !ValidUser(string(p.User)) {
		return bad("claims", "sub: accepted are 1 to 128 bytes of printable UTF-8")
	}
	if p.Name != string(p.User) {
		if err := checkName(p.Name); err != nil {
			return err
		}
	}
	if p.Role != Instructor && p.Role != Student {
		return bad("claims", "role: accepted are %q and %q", Instructor, Student)
	}
	if p.Guest() && (p.Role != Student || !isGuest(p.User)) {
		return bad("claims", "sub: the prefix %q belongs to guest sign-in", GuestPrefix)
	}
	return nil
}

func checkName(name string) error {
	if err := CheckText("name", name, 80); err != nil {
		return bad("claims", "name: accepted are %s", err.(*Refusal).Message)
	}
	return nil
}

// ValidUser tells whether text can be a user id: 1-128 bytes of printable
// UTF-8.
func ValidUser(text string) bool { return len(text) >= 1 && len(text) <= 128 && printable(text) }

// printable tells whether text has nothing in it that cannot be seen, but for
// spaces, nor what decoders put for what they could not read.
func printable(text string) bool {
	return strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }) < 0
}

// Seal makes a user passport, signed with the first key and, if asked for or
// if others would be refused, encrypted. It expires at ExpiresAt, to the
// second below.
func (k *Keyring) Seal(p Passport, encrypt bool) (string, error) {
	if err := p.check(); err != nil {
		return "", err
	}
	c := claims{Audience: audience{audienceUser}, Expires: seconds(p.ExpiresAt), User: p.User, Role: p.Role}
	if p.Name != string(p.User) {
		c.Name = &p.Name
	}
	return k.seal(c, encrypt || k.encryptionRequired)
}

// Invite makes a room passport, encrypted only if others would be refused.
func (k *Keyring) Invite(i Invitation) (string, error) {
	return k.seal(claims{
		Audience: audience{audienceRoom}, Expires: seconds(i.ExpiresAt), Room: i.Room, Renewals: i.Renewals,
	}, k.encryptionRequired)
}

func seconds(t time.Time) *float64 {
	s := float64(t.Unix())
	return &s
}

func (k *Keyring) seal(c claims, encrypt bool) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := k.sign(payload)
	if err != nil || !encrypt {
		return signed, err
	}
	return k.encrypt(signed)
}
