package hub

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose word is taken for who is behind them, in the
// headers X-Forwarded-For and X-Forwarded-Proto.
type Proxies []netip.Prefix

// ParseProxies reads networks (10.0.0.0/8) and addresses.
func ParseProxies(texts []string) (Proxies, error) {
	var p Proxies
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil || address.Zone() != "" {
				return nil, fmt.Errorf("%q is not a network (10.0.0.0/8) or an address", text)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		p = append(p, network.Masked())
	}
	return p, nil
}

func (p Proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// client returns the address of whoever sent the request: the nearest one
// that is not a trusted proxy's. It is not valid for a connection that has
// none.
func (p Proxies) client(r *http.Request) netip.Addr {
	nearest := parseAddress(r.RemoteAddr)
	forwarded := r.Header["X-Forwarded-For"]
	if len(forwarded) == 0 {
		return nearest
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.trusts(nearest) {
			break
		}
		before := parseAddress(strings.TrimSpace(hop))
		if !before.IsValid() {
			break
		}
		nearest = before
	}
	return nearest
}

// parseAddress reads an address with or without a port.
func parseAddress(text string) netip.Addr {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// subscriber returns what limits by address count by: an IPv4 address, or the
// /64 network of an IPv6 address, of which one subscriber has all.
func subscriber(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	network, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return network.Addr()
}

// secure tells whether the client came by https.
func (p Proxies) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	protos := r.Header.Values("X-Forwarded-Proto")
	if len(protos) == 0 || !p.trusts(parseAddress(r.RemoteAddr)) {
		return false
	}
	last := protos[len(protos)-1]
	return strings.EqualFold(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]), "https")
}
