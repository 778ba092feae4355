import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * grpc-java as a peer: `Peer client PORT [CA]` calls our server and prints a line for each case;
 * `Peer server` prints its port, and serves until its input ends. The messages are text without
 * protobuf, so that no code has to be generated.
 */
public final class Peer {
  static final long LIMIT_S = 30;
  static final Metadata.Key<String> THERE = Metadata.Key.of("there", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> THERE_BIN = Metadata.Key.of("there-bin", Metadata.BINARY_BYTE_MARSHALLER);
  static final Metadata.Key<String> BACK = Metadata.Key.of("back", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> BACK_BIN = Metadata.Key.of("back-bin", Metadata.BINARY_BYTE_MARSHALLER);

  static final MethodDescriptor.Marshaller<String> TEXT =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(String text) {
          return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public String parse(InputStream stream) {
          try {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
          } catch (IOException error) {
            throw new IllegalStateException(error);
          }
        }
      };

  static MethodDescriptor<String, String> method(String name, MethodType type) {
    return MethodDescriptor.newBuilder(TEXT, TEXT)
        .setFullMethodName("plumbline.rpc.Conformance/" + name)
        .setType(type)
        .build();
  }

  static final MethodDescriptor<String, String> UNARY = method("Unary", MethodType.UNARY);
  static final MethodDescriptor<String, String> CLIENT_STREAM = method("ClientStream", MethodType.CLIENT_STREAMING);
  static final MethodDescriptor<String, String> SERVER_STREAM = method("ServerStream", MethodType.SERVER_STREAMING);
  static final MethodDescriptor<String, String> BIDI_STREAM = method("BidiStream", MethodType.BIDI_STREAMING);

  interface Case {
    void run() throws Exception;
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("server")) serve();
    else System.exit(new Client(arguments).run() ? 0 : 1);
  }

  static void check(boolean holds, Object what) {
    if (!holds) throw new AssertionError(what);
  }

  static CallOptions limited() {
    return CallOptions.DEFAULT.withDeadlineAfter(LIMIT_S, TimeUnit.SECONDS);
  }

  /** The calls to our server. */
  static final class Client {
    final ManagedChannel channel;
    boolean isFine = true;

    Client(String[] arguments) throws Exception {
      NettyChannelBuilder builder = NettyChannelBuilder.forAddress("localhost", Integer.parseInt(arguments[1]));
      if (arguments.length > 2) builder.sslContext(GrpcSslContexts.forClient().trustManager(new File(arguments[2])).build());
      else builder.usePlaintext();
      channel = builder.build();
    }

    void tell(String name, Case one) {
      try {
        one.run();
        System.out.println("ok " + name);
      } catch (Throwable error) {
        isFine = false;
        System.out.println("not ok " + name + " " + error.toString().replace('\n', ' '));
      }
    }

    String unary(String text) {
      return ClientCalls.blockingUnaryCall(channel, UNARY, limited(), text);
    }

    static Status fails(Status.Code code, Case call) throws Exception {
      try {
        call.run();
      } catch (StatusRuntimeException error) {
        check(error.getStatus().getCode() == code, error);
        return error.getStatus();
      }
      throw new AssertionError("it succeeded");
    }

    boolean run() throws Exception {
      tell("echo", () -> {
        for (String text : List.of("", "hällo ☺", "z".repeat(1024 * 1024))) check(unary(text).equals(text), text.length());
      });
      tell("gzip", () -> {
        String text = "compress me ".repeat(10_000);
        CallOptions options = limited().withCompression("gzip");
        check(ClientCalls.blockingUnaryCall(channel, UNARY, options, text).equals(text), "another text");
      });
      tell("status", () -> {
        Status status = fails(Status.Code.NOT_FOUND, () -> unary("fail"));
        check(status.getDescription().equals("there is no ☺"), status);
      });
      tell("metadata", this::metadata);
      tell("deadline", () -> {
        CallOptions soon = CallOptions.DEFAULT.withDeadlineAfter(200, TimeUnit.MILLISECONDS);
        fails(Status.Code.DEADLINE_EXCEEDED, () -> ClientCalls.blockingUnaryCall(channel, UNARY, soon, "wait"));
      });
      tell("cancel", () -> {
        Future<String> waiting = ClientCalls.futureUnaryCall(channel.newCall(UNARY, limited()), "wait");
        while (unary("waiting").equals("0")) Thread.sleep(10);
        waiting.cancel(true);
        while (!unary("waiting").equals("0")) Thread.sleep(10);
      });
      tell("streamed", () -> {
        Iterator<String> answers = ClientCalls.blockingServerStreamingCall(channel, SERVER_STREAM, limited(), "count 1000");
        for (int index = 0; index < 1000; index++) check(answers.next().equals("" + index), index);
        check(!answers.hasNext(), "one too many");
      });
      tell("bulk", () -> {
        long octets = 0;
        Iterator<String> answers = ClientCalls.blockingServerStreamingCall(channel, SERVER_STREAM, limited(), "bulk 64");
        while (answers.hasNext()) {
          octets += answers.next().length();
          Thread.sleep(2);
        }
        check(octets == 64 * 65_536, octets);
      });
      tell("uploaded", () -> {
        Answers answers = new Answers();
        StreamObserver<String> requests =
            ClientCalls.asyncClientStreamingCall(channel.newCall(CLIENT_STREAM, limited()), answers);
        for (int index = 0; index < 1000; index++) requests.onNext("abc");
        requests.onCompleted();
        check(answers.take().equals("3000"), "another sum");
      });
      tell("answered_early", () -> {
        Answers answers = new Answers();
        StreamObserver<String> requests =
            ClientCalls.asyncClientStreamingCall(channel.newCall(CLIENT_STREAM, limited()), answers);
        requests.onNext("enough");
        check(answers.take().equals("0"), "another sum");
      });
      tell("both_ways", () -> {
        Answers answers = new Answers();
        StreamObserver<String> requests =
            ClientCalls.asyncBidiStreamingCall(channel.newCall(BIDI_STREAM, limited()), answers);
        for (int turn = 0; turn < 100; turn++) {
          requests.onNext("" + turn);
          check(answers.take().equals("" + turn), turn);
        }
        requests.onCompleted();
        answers.ended.get(LIMIT_S, TimeUnit.SECONDS);
      });
      tell("unknown", () -> {
        MethodDescriptor<String, String> missing = method("Missing", MethodType.UNARY);
        fails(Status.Code.UNIMPLEMENTED, () -> ClientCalls.blockingUnaryCall(channel, missing, limited(), ""));
      });
      tell("too_large", () -> fails(Status.Code.RESOURCE_EXHAUSTED, () -> unary("x".repeat(5 * 1024 * 1024))));
      tell("reconnects", this::reconnects);
      channel.shutdownNow().awaitTermination(LIMIT_S, TimeUnit.SECONDS);
      return isFine;
    }

    void metadata() {
      byte[] all = new byte[256];
      for (int index = 0; index < all.length; index++) all[index] = (byte) index;
      Metadata sent = new Metadata();
      sent.put(THERE, "text");
      sent.put(THERE_BIN, all);
      AtomicReference<Metadata> headers = new AtomicReference<>();
      AtomicReference<Metadata> trailers = new AtomicReference<>();
      Channel with =
          ClientInterceptors.intercept(
              channel,
              MetadataUtils.newCaptureMetadataInterceptor(headers, trailers),
              MetadataUtils.newAttachHeadersInterceptor(sent));
      ClientCalls.blockingUnaryCall(with, UNARY, limited(), "metadata");
      check("text".equals(headers.get().get(BACK)), headers);
      check(java.util.Arrays.equals(all, trailers.get().get(BACK_BIN)), trailers);
    }

    void reconnects() throws Exception {
      List<CompletableFuture<Void>> callers = new ArrayList<>();
      for (int caller = 0; caller < 4; caller++) {
        callers.add(
            CompletableFuture.runAsync(
                () -> {
                  for (int call = 0; call < 50; call++) {
                    check(unary("recycle").equals("recycle"), "another text");
                    check(unary("more").equals("more"), "another text");
                  }
                }));
      }
      for (CompletableFuture<Void> caller : callers) caller.get(LIMIT_S * 2, TimeUnit.SECONDS);
    }
  }

  /** The answers of a stream, taken one by one. */
  static final class Answers implements StreamObserver<String> {
    final BlockingQueue<String> queue = new ArrayBlockingQueue<>(1_000);
    final CompletableFuture<Void> ended = new CompletableFuture<>();

    String take() throws Exception {
      String answer = queue.poll(LIMIT_S, TimeUnit.SECONDS);
      check(answer != null, "no answer");
      return answer;
    }

    @Override
    public void onNext(String answer) {
      queue.add(answer);
    }

    @Override
    public void onError(Throwable error) {
      ended.completeExceptionally(error);
    }

    @Override
    public void onCompleted() {
      ended.complete(null);
    }
  }

  /** Echoes metadata. */
  static final ServerInterceptor METADATA =
      new ServerInterceptor() {
        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata sent, ServerCallHandler<Q, A> next) {
          ServerCall<Q, A> echoing =
              new io.grpc.ForwardingServerCall.SimpleForwardingServerCall<>(call) {
                @Override
                public void sendHeaders(Metadata headers) {
                  if (sent.containsKey(THERE)) headers.put(BACK, sent.get(THERE));
                  super.sendHeaders(headers);
                }

                @Override
                public void close(Status status, Metadata trailers) {
                  if (sent.containsKey(THERE_BIN)) trailers.put(BACK_BIN, sent.get(THERE_BIN));
                  super.close(status, trailers);
                }
              };
          return next.startCall(echoing, sent);
        }
      };

  /** The requests of a stream. */
  abstract static class Requests implements StreamObserver<String> {
    @Override
    public void onError(Throwable error) {}
  }

  static void serve() throws Exception {
    AtomicInteger waiting = new AtomicInteger();
    ServerServiceDefinition service =
        ServerServiceDefinition.builder("plumbline.rpc.Conformance")
            .addMethod(UNARY, ServerCalls.asyncUnaryCall((request, answers) -> unary(request, answers, waiting)))
            .addMethod(
                CLIENT_STREAM,
                ServerCalls.asyncClientStreamingCall(
                    answers ->
                        new Requests() {
                          long octets;
                          boolean isOver;

                          @Override
                          public void onNext(String request) {
                            if (request.equals("enough")) onCompleted();
                            octets += request.length();
                          }

                          @Override
                          public void onCompleted() {
                            if (isOver) return;
                            isOver = true;
                            answers.onNext("" + octets);
                            answers.onCompleted();
                          }
                        }))
            .addMethod(
                SERVER_STREAM,
                ServerCalls.asyncServerStreamingCall(
                    (request, answers) -> {
                      String[] words = request.split(" ");
                      String block = "x".repeat(65_536);
                      for (int index = 0; index < Integer.parseInt(words[1]); index++) {
                        answers.onNext(words[0].equals("bulk") ? block : "" + index);
                      }
                      answers.onCompleted();
                    }))
            .addMethod(
                BIDI_STREAM,
                ServerCalls.asyncBidiStreamingCall(
                    answers ->
                        new Requests() {
                          @Override
                          public void onNext(String request) {
                            answers.onNext(request);
                          }

                          @Override
                          public void onCompleted() {
                            answers.onCompleted();
                          }
                        }))
            .build();
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(ServerInterceptors.intercept(service, METADATA))
            .build()
            .start();
    System.out.println(server.getPort());
    System.in.readAllBytes();
    server.shutdownNow().awaitTermination(LIMIT_S, TimeUnit.SECONDS);
  }

  static void unary(String request, StreamObserver<String> answers, AtomicInteger waiting) {
    String[] words = request.split(" ");
    switch (words[0]) {
      case "fail" -> answers.onError(Status.NOT_FOUND.withDescription("there is no ☺").asRuntimeException());
      case "wait" -> {
        waiting.incrementAndGet();
        ((ServerCallStreamObserver<String>) answers).setOnCancelHandler(waiting::decrementAndGet);
      }
      case "waiting" -> answer(answers, "" + waiting.get());
      case "gzip" -> {
        ServerCallStreamObserver<String> call = (ServerCallStreamObserver<String>) answers;
        call.setCompression("gzip");
        answer(answers, "y".repeat(Integer.parseInt(words[1])));
      }
      default -> answer(answers, request);
    }
  }

  static void answer(StreamObserver<String> answers, String text) {
    answers.onNext(text);
    answers.onCompleted();
  }
}
