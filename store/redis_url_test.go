package store

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

func TestRedisURL(t *testing.T) {
	type server struct {
		addrs                          []string
		user, password, name           string
		sentinelUser, sentinelPassword string
		db                             int
		tls                            bool
	}
	for url, want := range map[string]server{
		"redis://h":                        {addrs: []string{"h:6379"}},
		"redis://h:1/2":                    {addrs: []string{"h:1"}, db: 2},
		"redis://:p%2Fw@[::1]:1":           {addrs: []string{"[::1]:1"}, password: "p/w"},
		"redis://u:p@h":                    {addrs: []string{"h:6379"}, user: "u", password: "p"},
		"rediss://h?skip_verify=true":      {addrs: []string{"h:6379"}, tls: true},
		"unix://:p@/run/redis.sock?db=3":   {addrs: []string{"/run/redis.sock"}, password: "p", db: 3},
		"redis+sentinel://a:1,b,[::2]:3/m": {addrs: []string{"a:1", "b:26379", "[::2]:3"}, name: "m"},
		"redis+sentinel://[::2]/m/4":       {addrs: []string{"[::2]:26379"}, name: "m", db: 4},
		"redis+sentinel://u:p%40@a/m?sentinel_username=s&sentinel_password=q": {
			addrs: []string{"a:26379"}, user: "u", password: "p@", name: "m", sentinelUser: "s", sentinelPassword: "q",
		},
	} {
		o, err := redisOptions(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := server{o.Addrs, o.Username, o.Password, o.MasterName, o.SentinelUsername, o.SentinelPassword, o.DB, o.TLSConfig != nil}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", url, got, want)
		}
	}
}

// TestRedisURLRefused: an error says which URL is wrong, and no password,
// however the URL is wrong.
func TestRedisURLRefused(t *testing.T) {
	for _, url := range []string{
		"",
		"h:6379",
		"http://:secret@h",
		"redis://:secret@h/database",
		"redis://:secret@h/1/2",
		"redis://:secret@h?pool_size=1",
		"redis://:secret@h:port",
		"redis://:se/secret@h",
		"redis://:1/secret@h",
		"redis://:secret%@h",
		"redis://:secret@\x7f",
		":secret@h",
		"unix://:secret@",
		"redis+sentinel://:secret@h",
		"redis+sentinel://:secret@h/",
		"redis+sentinel://:secret@h/m/database",
		"redis+sentinel://:se/secret@h/m/1/2",
		"redis+sentinel://h/m?password=secret",
	} {
		_, err := OpenRedis(RedisConfig{URL: url}, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%q is accepted", url)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is in %q", url, err)
		}
	}
}
