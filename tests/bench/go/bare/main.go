// Command bare is the least grpc-go server there can be: what grpc-go itself costs.
package main

import (
	"context"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"

	greeterv1 "github.com/plumbline/plumbline/tests/bench/go/gen/greeter/v1"
)

type greeter struct {
	greeterv1.UnimplementedGreeterServer
}

func (greeter) SayHello(_ context.Context, request *greeterv1.HelloRequest) (*greeterv1.HelloReply, error) {
	return &greeterv1.HelloReply{Message: "Hello " + request.GetName()}, nil
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	greeterv1.RegisterGreeterServer(server, greeter{})
	log.Fatal(server.Serve(listener))
}
