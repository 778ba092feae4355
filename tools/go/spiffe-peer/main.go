// Command spiffe-peer is a client or a server of go-spiffe, for tests of ours: each side shows a
// certificate with a SPIFFE id, and takes one other id.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

const callTimeout = 20 * time.Second

// identity is what both sides need: a certificate, the authorities, and the other side's id.
type identity struct {
	svid   *x509svid.SVID
	bundle *x509bundle.Bundle
	other  tlsconfig.Authorizer
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 && len(args) != 6 {
		return errors.New("usage: spiffe-peer CERTIFICATE KEY AUTHORITIES ID server | client PORT")
	}
	id, err := load(args[0], args[1], args[2], args[3])
	if err != nil {
		return err
	}
	if args[4] == "server" {
		return serve(id)
	}
	return call(id, args[5])
}

func load(certificateFile, keyFile, authoritiesFile, other string) (identity, error) {
	id, err := spiffeid.FromString(other)
	if err != nil {
		return identity{}, err
	}
	svid, err := x509svid.Load(certificateFile, keyFile)
	if err != nil {
		return identity{}, err
	}
	bundle, err := x509bundle.Load(id.TrustDomain(), authoritiesFile)
	return identity{svid, bundle, tlsconfig.AuthorizeID(id)}, err
}

// serve echoes until its input ends. It prints its port.
func serve(id identity) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := tlsconfig.MTLSServerConfig(id.svid, id.bundle, id.other)
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(config)),
		grpc.ForceServerCodec(text{}),
		grpc.UnknownServiceHandler(echo),
	)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

func echo(_ any, stream grpc.ServerStream) error {
	var request string
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	return stream.SendMsg(&request)
}

// call prints the answer to one call, or the status with which it ended.
func call(id identity, port string) error {
	config := tlsconfig.MTLSClientConfig(id.svid, id.bundle, id.other)
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	request, answer := "hi", ""
	err = connection.Invoke(ctx, "/plumbline.rpc.Conformance/Unary", &request, &answer, grpc.ForceCodec(text{}))
	if err != nil {
		fmt.Println(status.Code(err), status.Convert(err).Message())
		return nil
	}
	fmt.Println("OK", answer)
	return nil
}

// text is a codec of messages that are bare text.
type text struct{}

func (text) Marshal(value any) ([]byte, error) { return []byte(*value.(*string)), nil }

func (text) Unmarshal(data []byte, value any) error {
	*value.(*string) = string(data)
	return nil
}

func (text) Name() string { return "proto" }
