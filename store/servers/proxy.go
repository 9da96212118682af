package servers

import (
	"context"
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A Proxy stands in front of a server and breaks its network. A new fault
// takes the place of the last. Its methods are not safe for concurrent use.
type Proxy struct {
	proxy *toxiproxy.Proxy
}

// StartProxy listens on a free port and passes everything on to an address.
func StartProxy(upstream string) (*Proxy, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{toxiproxy.NewProxy(server, upstream, "127.0.0.1:0", upstream)}
	if err := p.proxy.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// Addr is the host and port that the proxy listens on.
func (p *Proxy) Addr() string { return p.proxy.Listen }

// Cut breaks all connections and takes no new ones until Heal.
func (p *Proxy) Cut() { p.proxy.Stop() }

// BlackHole swallows all that either side sends; connections stay open, and
// new ones are taken. Those break when it is healed.
func (p *Proxy) BlackHole() error { return p.both("timeout", "timeout", 0) }

// Delay holds up all that either side sends.
func (p *Proxy) Delay(d time.Duration) error { return p.both("latency", "latency", d) }

// both puts a toxic of toxiproxy on both directions, with one attribute in
// milliseconds.
func (p *Proxy) both(toxic, attribute string, value time.Duration) error {
	p.proxy.Toxics.ResetToxics(context.Background())
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%q:%d}}`, toxic, stream, attribute, value.Milliseconds())
		if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return err
		}
	}
	return nil
}

// Heal ends the fault.
func (p *Proxy) Heal() error {
	p.proxy.Toxics.ResetToxics(context.Background())
	if p.proxy.Enabled {
		return nil
	}
	return p.proxy.Start()
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() { p.proxy.Stop() }
