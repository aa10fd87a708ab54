// Command control is the control plane of a lab's tailnet: real tailscaled programs join it, as they would join
// Tailscale or headscale. It holds its state in memory: a lab's tailnet lives as long as this process.
//
//	control -ip 10.231.0.1 -addresses addresses.json -spare 100.64.1.1 -admin admin.sock
//
// main.go     listeners: control protocol, DERP relay and STUN, without which no node comes up, and administration
// tailnet.go  who may join, with which address and tags; which node keys are refused
// protocol.go the control protocol: register, and the map that each node polls
// admin.go    what tests and key rotation ask for, as JSON over a unix socket
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

const (
	controlPort = 31544
	derpPort    = 3340
	stunPort    = 3478
)

func main() {
	ip := flag.String("ip", "", "the address to listen on")
	addresses := flag.String("addresses", "", "a JSON file: host name to tailnet address, for the hosts that may join")
	spare := flag.String("spare", "", "the first of the tailnet addresses for other hosts")
	admin := flag.String("admin", "", "the unix socket for administration; readable by its owner alone")
	flag.Parse()

	planned, err := readAddresses(*addresses)
	if err != nil {
		log.Fatal(err)
	}
	tailnet := newTailnet(planned, netip.MustParseAddr(*spare))
	go serveDERP(*ip)
	stun := stunserver.New(context.Background())
	go func() { log.Fatal(stun.ListenAndServe(port(*ip, stunPort))) }()
	go serveAdmin(tailnet, *admin)
	base := "http://" + port(*ip, controlPort)
	log.Fatal(http.ListenAndServe(port(*ip, controlPort), newProtocol(tailnet, relays(*ip), base)))
}

func port(ip string, number int) string { return net.JoinHostPort(ip, strconv.Itoa(number)) }

func readAddresses(file string) (map[string]netip.Addr, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	planned := map[string]netip.Addr{}
	return planned, json.Unmarshal(text, &planned)
}

func serveAdmin(tailnet *tailnet, socket string) {
	syscall.Umask(0o077) // before the socket is there: whoever opens it can make keys
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, adminHandler(tailnet)))
}

// serveDERP relays what two nodes cannot send each other directly. Its certificate is self-signed, so the map says
// InsecureForTests; what it relays is encrypted by the nodes all the same.
func serveDERP(ip string) {
	listener, err := net.Listen("tcp", port(ip, derpPort))
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewUnstartedServer(derpserver.Handler(derpserver.New(key.NewNode(), func(string, ...any) {})))
	server.Listener.Close()
	server.Listener = listener
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // DERP speaks HTTP/1
	server.StartTLS()
}

func relays(ip string) *tailcfg.DERPMap {
	relay := &tailcfg.DERPNode{
		Name: "1a", RegionID: 1, HostName: ip, IPv4: ip, IPv6: "none",
		STUNPort: stunPort, STUNTestIP: ip, DERPPort: derpPort, InsecureForTests: true,
	}
	region := &tailcfg.DERPRegion{RegionID: 1, RegionCode: "lab", RegionName: "lab", Nodes: []*tailcfg.DERPNode{relay}}
	return &tailcfg.DERPMap{OmitDefaultRegions: true, Regions: map[int]*tailcfg.DERPRegion{1: region}}
}
