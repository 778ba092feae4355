package rpc

import (
	"context"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/plumbline/plumbline/apps/greeter-go/internal/config"
)

// identity is the SPIFFE id in the certificate of a connection's client, or why there is none.
type identity struct {
	id     string
	reason string
	detail string
}

// identityOf reads the certificate that TLS has verified: it must have exactly one URI, of the
// trust domain, and be no authority's.
func identityOf(ctx context.Context, trustDomain string) identity {
	invalid := func(detail string) identity { return identity{reason: "CALLER_INVALID", detail: detail} }
	from, _ := peer.FromContext(ctx)
	info, secured := credentials.TLSInfo{}, false
	if from != nil {
		info, secured = from.AuthInfo.(credentials.TLSInfo)
	}
	if !secured || len(info.State.VerifiedChains) == 0 {
		return identity{reason: "CALLER_MISSING", detail: "the client showed no certificate"}
	}
	leaf := info.State.PeerCertificates[0]
	if leaf.IsCA {
		return invalid("the certificate is that of an authority")
	}
	if len(leaf.URIs) != 1 {
		return invalid("the certificate has not exactly one URI")
	}
	id := leaf.URIs[0].String()
	switch config.TrustDomainOf(id) {
	case "":
		return invalid("the certificate's URI is no SPIFFE id")
	case trustDomain:
		return identity{id: id}
	}
	return invalid("the SPIFFE id is of another trust domain")
}

// admit refuses callers that are not named, as apps/greeter does.
func admit(caller identity, callers map[string]bool) (reason string, err error) {
	if caller.reason != "" {
		return caller.reason, refusal(codes.Unauthenticated, "the caller has no identity: "+caller.detail, caller.reason)
	}
	if !callers[caller.id] {
		const reason = "CALLER_NOT_ALLOWED"
		return reason, refusal(codes.PermissionDenied, "this service is not for the caller", reason)
	}
	return "", nil
}

func refusal(code codes.Code, message, reason string) error {
	detailed, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "plumbline"})
	if err != nil {
		return status.Error(code, message)
	}
	return detailed.Err()
}
