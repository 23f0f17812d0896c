// The ReverseProxy of Go's standard library as it comes, but for the connections it keeps to the upstream: two, as it
// comes, would have it open new ones all the time. Compression, which no other peer asks the upstream for, is off.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

func main() {
	listen := flag.String("listen", "", "address to listen on")
	upstream := flag.String("upstream", "", "origin to send requests to")
	cert := flag.String("cert", "", "PEM file; with it and -key, TLS and HTTP/2")
	key := flag.String("key", "", "PEM file")
	flag.Parse()

	target, err := url.Parse(*upstream)
	if err != nil {
		log.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 512
	transport.MaxIdleConnsPerHost = 512
	transport.DisableCompression = true
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport

	if *cert == "" {
		log.Fatal(http.ListenAndServe(*listen, proxy))
	}
	log.Fatal(http.ListenAndServeTLS(*listen, *cert, *key, proxy))
}
