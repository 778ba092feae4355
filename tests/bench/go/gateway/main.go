// Command gateway is grpc-gateway in front of greeter, set up as in its documentation. FULL=1 adds
// all that our gateway does around a request: one log line, counts and durations, W3C trace
// context, a request id, a rate limit, a bound on concurrency, a deadline.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	greeterv1 "github.com/plumbline/plumbline/tests/bench/go/gen/greeter/v1"
)

func main() {
	full := os.Getenv("FULL") == "1"
	var muxOptions []runtime.ServeMuxOption
	dialOptions := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if full {
		muxOptions = append(muxOptions, runtime.WithMetadata(forward))
		dialOptions = append(dialOptions, grpc.WithUnaryInterceptor(client()))
	}
	mux := runtime.NewServeMux(muxOptions...)
	err := greeterv1.RegisterGreeterHandlerFromEndpoint(context.Background(), mux, os.Getenv("UPSTREAM"), dialOptions)
	if err != nil {
		log.Fatal(err)
	}
	var handler http.Handler = mux
	if full {
		handler = around(mux)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handler))
}
