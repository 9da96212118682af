package room

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestClaims(t *testing.T) {
	k := newTestKeys(t, false)
	at := func(offset time.Duration) int64 { return someday.Add(offset).Unix() }
	user := func(sub, rest string) string {
		return fmt.Sprintf(`{"aud":"lectern","exp":%d,"sub":%s%s}`, at(time.Hour), sub, rest)
	}
	const student = `,"role":"student"`
	guest := GuestPrefix + strings.Repeat("0a", 16)
	timed := func(times string) string {
		return `{"aud":"lectern","sub":"s1","role":"student",` + times + `}`
	}
	for name, test := range map[string]struct {
		payload string
		reason  string
		want    Caller
	}{
		"least":                {user(`"s1"`, student), "", Caller{"s1", "s1", Student}},
		"name":                 {user(`"t1"`, `,"role":"instructor","name":"김민준 O'Neil"`), "", Caller{"t1", "김민준 O'Neil", Instructor}},
		"name null":            {user(`"s1"`, student+`,"name":null`), "", Caller{"s1", "s1", Student}},
		"more claims":          {user(`"s1"`, student+`,"iss":"me","room":"R","x":[{"a":1}]`), "", Caller{"s1", "s1", Student}},
		"longest":              {user(`"`+strings.Repeat("u", 128)+`"`, student), "", Caller{UserID(strings.Repeat("u", 128)), strings.Repeat("u", 128), Student}},
		"longest name":         {user(`"s"`, student+`,"name":"`+strings.Repeat("한", 80)+`"`), "", Caller{"s", strings.Repeat("한", 80), Student}},
		"guest":                {user(`"`+guest+`"`, student), "", Caller{UserID(guest), guest, Student}},
		"guest instructor":     {user(`"`+guest+`"`, `,"role":"instructor"`), "claims", Caller{}},
		"guest, named":         {user(`"guest:me"`, student), "claims", Caller{}},
		"guest, upper case":    {user(`"guest:`+strings.Repeat("A", 32)+`"`, student), "claims", Caller{}},
		"guest, not hex":       {user(`"`+guest[:37]+`g"`, student), "claims", Caller{}},
		"guest, too long":      {user(`"`+guest+`0"`, student), "claims", Caller{}},
		"long name as sub":     {user(`"`+strings.Repeat("n", 81)+`"`, student+`,"name":"`+strings.Repeat("n", 81)+`"`), "claims", Caller{}},
		"space":                {user(`"a b"`, student), "", Caller{"a b", "a b", Student}},
		"audiences":            {`{"aud":["x","lectern"],"sub":"s1","role":"student","exp":1900000000}`, "", Caller{"s1", "s1", Student}},
		"no sub":               {`{"aud":"lectern","role":"student","exp":1900000000}`, "claims", Caller{}},
		"sub empty":            {user(`""`, student), "claims", Caller{}},
		"sub number":           {user(`7`, student), "claims", Caller{}},
		"sub too long":         {user(`"`+strings.Repeat("u", 129)+`"`, student), "claims", Caller{}},
		"sub too long, hangul": {user(`"`+strings.Repeat("한", 43)+`"`, student), "claims", Caller{}},
		"sub control":          {user(`"a\u0000"`, student), "claims", Caller{}},
		"sub line feed":        {user(`"a\n"`, student), "claims", Caller{}},
		"sub bidi":             {user(`"a\u202eb"`, student), "claims", Caller{}},
		"sub zero width":       {user(`"a\u200bb"`, student), "claims", Caller{}},
		"sub surrogate":        {user(`"a\ud800"`, student), "claims", Caller{}},
		"sub not UTF-8":        {user("\"a\xff\"", student), "claims", Caller{}},
		"name empty":           {user(`"s1"`, student+`,"name":""`), "claims", Caller{}},
		"name too long":        {user(`"s1"`, student+`,"name":"`+strings.Repeat("n", 81)+`"`), "claims", Caller{}},
		"name control":         {user(`"s1"`, student+`,"name":"a\tb"`), "claims", Caller{}},
		"name bidi":            {user(`"s1"`, student+`,"name":"a\u2066b"`), "claims", Caller{}},
		"name number":          {user(`"s1"`, student+`,"name":1`), "claims", Caller{}},
		"no role":              {user(`"s1"`, ""), "claims", Caller{}},
		"role case":            {user(`"s1"`, `,"role":"Student"`), "claims", Caller{}},
		"role other":           {user(`"s1"`, `,"role":"admin"`), "claims", Caller{}},
		"role array":           {user(`"s1"`, `,"role":["student"]`), "claims", Caller{}},
		"claim twice":          {user(`"s1"`, `,"role":"student","role":"instructor"`), "claims", Caller{}},
		"claim twice, empty":   {`{"aud":"lectern","sub":"","sub":"s1","role":"student","exp":1900000000}`, "claims", Caller{}},
		"claim twice, zero":    {timed(`"exp":0,"exp":1900000000`), "claims", Caller{}},
		"audience twice":       {`{"aud":"x","aud":"lectern","sub":"s1","role":"student","exp":1900000000}`, "claims", Caller{}},
		"other claim twice":    {user(`"s1"`, student+`,"iss":"a","iss":"b"`), "claims", Caller{}},
		"spaced":               {`{ "aud": "lectern", "sub": "s1", "role": "student", "exp": 1900000000 }`, "", Caller{"s1", "s1", Student}},
		"escaped":              {user(`"s\u0031"`, `,"r\u006fle":"student"`), "", Caller{"s1", "s1", Student}},
		"claim escaped":        {user(`"s1"`, `,"role":"student","r\u006fle":"instructor"`), "claims", Caller{}},
		"claim other case":     {user(`"s1"`, `,"Role":"student"`), "claims", Caller{}},
		"not an object":        {`"lectern"`, "claims", Caller{}},
		"null":                 {`null`, "audience", Caller{}},
		"empty":                {``, "claims", Caller{}},
		"more after it":        {user(`"s1"`, student) + "x", "claims", Caller{}},
		"no aud":               {`{"sub":"s1","role":"student","exp":1900000000}`, "audience", Caller{}},
		"aud null":             {`{"aud":null,"sub":"s1","role":"student","exp":1900000000}`, "audience", Caller{}},
		"aud none":             {`{"aud":[],"sub":"s1","role":"student","exp":1900000000}`, "audience", Caller{}},
		"aud case":             {`{"aud":"Lectern","sub":"s1","role":"student","exp":1900000000}`, "audience", Caller{}},
		"aud longer":           {`{"aud":"lectern ","sub":"s1","role":"student","exp":1900000000}`, "audience", Caller{}},
		"aud of a room":        {`{"aud":"lectern/room","sub":"s1","role":"student","exp":1900000000}`, "audience", Caller{}},
		"aud number":           {`{"aud":1,"sub":"s1","role":"student","exp":1900000000}`, "claims", Caller{}},
		"no exp":               {timed(`"iat":1`), "claims", Caller{}},
		"exp null":             {timed(`"exp":null`), "claims", Caller{}},
		"exp octal":            {timed(`"exp":01900000000`), "claims", Caller{}},
		"exp text":             {timed(`"exp":"1900000000"`), "claims", Caller{}},
		"exp negative":         {timed(`"exp":-1`), "claims", Caller{}},
		"exp after 9999":       {timed(`"exp":253402300800`), "claims", Caller{}},
		"exp huge":             {timed(`"exp":1e300`), "claims", Caller{}},
		"exp infinite":         {timed(`"exp":1e999`), "claims", Caller{}},
		"exp in 9999":          {timed(`"exp":253402300799`), "", Caller{"s1", "s1", Student}},
		"exp zero":             {timed(`"exp":0`), "expired", Caller{}},
		"exp now":              {timed(fmt.Sprintf(`"exp":%d`, at(0))), "expired", Caller{}},
		"exp in a second":      {timed(fmt.Sprintf(`"exp":%d`, at(time.Second))), "", Caller{"s1", "s1", Student}},
		"exp with fraction":    {timed(fmt.Sprintf(`"exp":%d.5`, at(0))), "", Caller{"s1", "s1", Student}},
		"nbf in leeway":        {timed(fmt.Sprintf(`"exp":1900000000,"nbf":%d`, at(clockLeeway))), "", Caller{"s1", "s1", Student}},
		"nbf too early":        {timed(fmt.Sprintf(`"exp":1900000000,"nbf":%d`, at(clockLeeway+time.Second))), "early", Caller{}},
		"iat in leeway":        {timed(fmt.Sprintf(`"exp":1900000000,"iat":%d`, at(clockLeeway))), "", Caller{"s1", "s1", Student}},
		"iat too early":        {timed(fmt.Sprintf(`"exp":1900000000,"iat":%d`, at(clockLeeway+time.Second))), "early", Caller{}},
		"iat text":             {timed(`"exp":1900000000,"iat":"1"`), "claims", Caller{}},
	} {
		t.Run(name, func(t *testing.T) {
			token := hmacToken(`{"alg":"HS256","kid":"hs"}`, test.payload, k.hs.secret)
			p, err := k.Parse(token, someday)
			if got := reasonOf(t, err); got != test.reason {
				t.Fatalf("refused as %q (%v), want %q", got, err, test.reason)
			}
			if p.Caller != test.want {
				t.Fatalf("passport of %+v, want %+v", p.Caller, test.want)
			}
		})
	}
}

func TestGuestsComeBySharedKeysOnly(t *testing.T) {
	k := newTestKeys(t, false)
	claims := strings.Replace(studentClaims(""), `"s1"`, `"`+string(NewGuest())+`"`, 1)
	for _, kid := range []string{"ed", "ec", "rsa"} {
		if _, err := k.Parse(k.publicToken(t, kid, claims), someday); reasonOf(t, err) != "claims" {
			t.Errorf("guest by key %q: %v", kid, err)
		}
	}
}

func TestInvitations(t *testing.T) {
	k := newTestKeys(t, false)
	for name, test := range map[string]struct {
		payload string
		reason  string
		want    Invitation
	}{
		"of a gateway":  {`{"aud":"lectern/room","room":"R1","exp":1900000000}`, "", Invitation{"R1", 0, time.Unix(1900000000, 0).UTC()}},
		"renewed":       {`{"aud":"lectern/room","room":"R1","exp":1900000000,"renewals":2}`, "", Invitation{"R1", 2, time.Unix(1900000000, 0).UTC()}},
		"of a user":     {`{"aud":"lectern","room":"R1","exp":1900000000}`, "audience", Invitation{}},
		"no room":       {`{"aud":"lectern/room","exp":1900000000}`, "claims", Invitation{}},
		"long room":     {`{"aud":"lectern/room","room":"` + strings.Repeat("R", 65) + `","exp":1900000000}`, "claims", Invitation{}},
		"room control":  {`{"aud":"lectern/room","room":"R\u0000","exp":1900000000}`, "claims", Invitation{}},
		"fraction":      {`{"aud":"lectern/room","room":"R1","exp":1900000000,"renewals":0.5}`, "claims", Invitation{}},
		"below nothing": {`{"aud":"lectern/room","room":"R1","exp":1900000000,"renewals":-1}`, "claims", Invitation{}},
		"twice":         {`{"aud":"lectern/room","room":"R1","exp":1900000000,"renewals":0,"renewals":2}`, "claims", Invitation{}},
		"no exp":        {`{"aud":"lectern/room","room":"R1"}`, "claims", Invitation{}},
		"expired":       {`{"aud":"lectern/room","room":"R1","exp":1}`, "expired", Invitation{}},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := k.ParseInvitation(hmacToken(`{"alg":"HS256","kid":"hs"}`, test.payload, k.hs.secret), someday)
			if got := reasonOf(t, err); got != test.reason || i != test.want {
				t.Fatalf("%+v, refused as %q (%v), want %+v, %q", i, got, err, test.want, test.reason)
			}
		})
	}
}

// TestUsualPassportsArePlain: to read what issuers write takes no decoder.
func TestUsualPassportsArePlain(t *testing.T) {
	token, err := newTestKeys(t, false).Seal(Passport{Caller{"s1", "김민준", Student}, someday.Add(time.Hour)}, false)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if c, plain := plainClaims(payload); !plain || c.User != "s1" || *c.Name != "김민준" {
		t.Errorf("%s is read as %+v, plain: %v", payload, c, plain)
	}
}

func TestSeal(t *testing.T) {
	k := newTestKeys(t, false)
	for _, encrypt := range []bool{false, true} {
		p := Passport{Caller{"t1", "Kim <&> 김", Instructor}, someday.Add(time.Hour)}
		token, err := k.Seal(p, encrypt)
		if err != nil {
			t.Fatal(err)
		}
		if parts := strings.Count(token, "."); (parts == 4) != encrypt {
			t.Errorf("encrypted %v: %d parts", encrypt, parts+1)
		}
		if got, err := k.Parse(token, someday); err != nil || got != p {
			t.Errorf("read as %+v, %v", got, err)
		}
	}
	if _, err := k.Seal(Passport{Caller{"t1", "Kim", "admin"}, someday}, false); reasonOf(t, err) != "claims" {
		t.Errorf("sealed for an admin: %v", err)
	}
	signs, err := NewKeyring(KeyConfig{Signing: []Key{k.hs}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signs.Seal(Passport{Caller{"t1", "Kim", Student}, someday}, true); err == nil {
		t.Error("sealed and encrypted without an encryption key")
	}
}

// No token that differs from a genuine one in any character is accepted, nor
// one made of the parts of two genuine ones.
func TestForgedPassports(t *testing.T) {
	k := newTestKeys(t, false)
	genuine := map[string]string{
		"HS256": hmacToken(`{"alg":"HS256","kid":"hs"}`, studentClaims(""), k.hs.secret),
		"other": hmacToken(`{"alg":"HS256","kid":"hs"}`, studentClaims(`,"name":"Kim"`), k.hs.secret),
		"EdDSA": k.publicToken(t, "ed", studentClaims("")),
		"ES256": k.publicToken(t, "ec", studentClaims("")),
		"RS256": k.publicToken(t, "rsa", studentClaims("")),
	}
	for i, name := range []Role{Student, Instructor} {
		token, err := k.Seal(Passport{Caller{"s1", "s1", name}, someday.Add(time.Hour)}, true)
		if err != nil {
			t.Fatal(err)
		}
		genuine[fmt.Sprint("encrypted ", i)] = token
	}
	var tried atomic.Int64
	refused := func(t *testing.T, token, how string) {
		tried.Add(1)
		if _, err := k.Parse(token, someday); err == nil {
			t.Errorf("accepted with %s: %s", how, token)
		}
	}
	t.Run("each", func(t *testing.T) {
		for name, token := range genuine {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if _, err := k.Parse(token, someday); err != nil {
					t.Fatal(err)
				}
				if _, err := k.ParseInvitation(token, someday); err == nil {
					t.Error("accepted as an invitation")
				}
				for variant := range variants(token) {
					refused(t, variant, "a change")
				}
				for _, other := range genuine {
					if other != token {
						for variant := range mixtures(token, other) {
							refused(t, variant, "parts of another")
						}
					}
				}
			})
		}
	})
	if tried.Load() < 100_000 {
		t.Errorf("%d forgeries are too few", tried.Load())
	}
	if !t.Failed() {
		t.Logf("proved: %d forgeries of %d genuine passports: 0 accepted", tried.Load(), len(genuine)) // roomtest imports this package
	}
}

// variants yields every token that differs from this one in one bit, one
// character of the alphabet, or by one that is missing or too many, and every
// beginning of it.
func variants(token string) func(yield func(string) bool) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/\n"
	return func(yield func(string) bool) {
		for i := range token {
			before, after := token[:i], token[i+1:]
			if !yield(before) || after != "" && token[i+1] != token[i] && !yield(before+after) {
				return
			}
			for bit := range 8 {
				if !yield(before + string([]byte{token[i] ^ 1<<bit}) + after) {
					return
				}
			}
			for _, c := range []byte(alphabet) {
				if c != token[i] && !yield(before+string(c)+after) {
					return
				}
			}
			if !yield(before + "A" + token[i:]) {
				return
			}
		}
	}
}

// mixtures yields every way to put the parts of two tokens together.
func mixtures(one, other string) func(yield func(string) bool) {
	a, b := strings.Split(one, "."), strings.Split(other, ".")
	return func(yield func(string) bool) {
		if len(a) != len(b) {
			return
		}
		for choice := 1; choice < 1<<len(a)-1; choice++ {
			mixed := make([]string, len(a))
			for i := range mixed {
				mixed[i] = a[i]
				if choice>>i&1 == 1 {
					mixed[i] = b[i]
				}
			}
			if token := strings.Join(mixed, "."); token != one && token != other && !yield(token) {
				return
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	k := newTestKeys(b, false)
	plain, err := k.Seal(Passport{Caller{"s1", "Kim", Student}, someday.Add(time.Hour)}, false)
	if err != nil {
		b.Fatal(err)
	}
	encrypted, err := k.Seal(Passport{Caller{"s1", "Kim", Student}, someday.Add(time.Hour)}, true)
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct{ name, token string }{
		{"HS256", plain},
		{"HS256+A256GCM", encrypted},
		{"EdDSA", k.publicToken(b, "ed", studentClaims(""))},
		{"ES256", k.publicToken(b, "ec", studentClaims(""))},
		{"RS256", k.publicToken(b, "rsa", studentClaims(""))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Parse(bench.token, someday); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
