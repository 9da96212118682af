package store

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const sentinelScheme = "redis+sentinel://"

var errUnknownOption = errors.New("unknown option")

// redisOptions reads a URL as OpenRedis describes it.
func redisOptions(address string) (*redis.UniversalOptions, error) {
	read := serverOptions
	if strings.HasPrefix(address, sentinelScheme) {
		read = sentinelOptions
	}
	o, err := read(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not the URL of a Redis: redis://, rediss://, unix:// or %s", withoutSecrets(address), sentinelScheme)
	}
	o.ContextTimeoutEnabled = true // else a context bounds nothing
	o.MaxRetries = -1              // none: whoever asked has a way without Redis
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = redisTimeout, redisTimeout, redisTimeout, redisTimeout
	o.DialerRetries = 1
	o.PoolSize = redisConnections
	o.PipelinePoolSize = -1 // nearly all is pipelined: one pool for everything
	// Notices of a hosted server's maintenance: asked for on every connection.
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

func serverOptions(address string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	for key := range u.Query() { // ParseURL takes many that are not ours to give away
		if key != "db" && key != "skip_verify" {
			return nil, errUnknownOption
		}
	}
	return &redis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}, nil
}

func sentinelOptions(address string) (*redis.UniversalOptions, error) {
	authority, path, _ := strings.Cut(strings.TrimPrefix(address, sentinelScheme), "/")
	at := strings.LastIndex(authority, "@") + 1
	// net/url takes one host and no list.
	u, err := url.Parse("sentinel://" + authority[:at] + "hosts/" + path)
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	for host := range strings.SplitSeq(authority[at:], ",") {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "26379")
		}
		o.Addrs = append(o.Addrs, host)
	}
	name, database, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if o.MasterName = name; name == "" {
		return nil, errors.New("no name")
	}
	if database != "" {
		if o.DB, err = strconv.Atoi(database); err != nil {
			return nil, err
		}
	}
	for key, values := range u.Query() {
		switch key {
		case "sentinel_username":
			o.SentinelUsername = values[0]
		case "sentinel_password":
			o.SentinelPassword = values[0]
		default:
			return nil, errUnknownOption
		}
	}
	return o, nil
}

// withoutSecrets cuts out of a URL, however wrong it is, where passwords are.
func withoutSecrets(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if at := strings.LastIndex(address, "@"); at >= 0 {
		scheme, _, ok := strings.Cut(address[:at], "://")
		if address = address[at:]; ok {
			address = scheme + "://…" + address
		}
	}
	return address
}
