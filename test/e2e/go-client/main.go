// Asks for all that a client may want to try, with the standard library's client, and prints what came as JSON.
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
)

type answer struct {
	Status  int    `json:"status"`
	Proto   string `json:"proto"`
	Via     string `json:"via"`
	Type    string `json:"type"`
	Digest  string `json:"digest"`
	Trailer string `json:"trailer"`
}

var client *http.Client

func do(method, url string, body io.Reader) answer {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		log.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, response.Body); err != nil {
		log.Fatal(err)
	}
	return answer{
		Status:  response.StatusCode,
		Proto:   response.Proto,
		Via:     response.Header.Get("X-Via"),
		Type:    response.Header.Get("Content-Type"),
		Digest:  hex.EncodeToString(sum.Sum(nil)),
		Trailer: response.Trailer.Get("X-Checksum"),
	}
}

// go-client ORIGIN CA-FILE
func main() {
	origin, caFile := os.Args[1], os.Args[2]
	pem, err := os.ReadFile(caFile)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client = &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true,
	}}

	body := bytes.Repeat([]byte("0123456789abcdef"), 65536)
	answers := map[string]answer{
		"get":  do("GET", origin+"/app/hello", nil),
		"head": do("HEAD", origin+"/app/hello", nil),
		"post": do("POST", origin+"/app/echo", bytes.NewReader(body)),
		// Of unknown length.
		"stream":  do("POST", origin+"/app/echo", io.MultiReader(bytes.NewReader(body))),
		"empty":   do("POST", origin+"/app/echo", io.MultiReader(strings.NewReader(""))),
		"large":   do("GET", origin+"/app/large", nil),
		"missing": do("GET", origin+"/nowhere", nil),
	}

	var group sync.WaitGroup
	parallel := make([]answer, 50)
	for i := range parallel {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			parallel[i] = do("GET", origin+"/app/hello", nil)
		}(i)
	}
	group.Wait()
	for _, each := range parallel {
		if each != answers["get"] {
			log.Fatalf("one of many: %+v", each)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
