import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import users.UsersTypes.CreateUserRequest;
import users.UsersTypes.CreateUserResult;
import users.UsersTypes.GetUsersRequest;
import users.UsersTypes.GetUsersResult;
import users.UsersTypes.User;

/**
 * Calls the service with grpc-java and says of each check how it went. The environment names the server: HOST, PORT,
 * and CA_FILE and TOKEN if it needs them; NAME is a user name that nobody has.
 */
public final class UsersClient {
  private interface Work {
    void run() throws Exception;
  }

  // What stubs would say; the program that generates them is another download for each platform.
  private static final MethodDescriptor<CreateUserRequest, CreateUserResult> CREATE_USER = method(
      MethodType.UNARY, "CreateUser", CreateUserRequest.getDefaultInstance(), CreateUserResult.getDefaultInstance());
  private static final MethodDescriptor<GetUsersRequest, GetUsersResult> GET_USERS = method(
      MethodType.SERVER_STREAMING, "GetUsers",
      GetUsersRequest.getDefaultInstance(), GetUsersResult.getDefaultInstance());

  private final String name = System.getenv("NAME");
  private final ManagedChannel channel;
  private final Channel users;

  private UsersClient(ManagedChannel channel) {
    this.channel = channel;
    users = ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(withToken(new Metadata())));
  }

  public static void main(String[] args) throws Exception {
    String host = System.getenv("HOST");
    int port = Integer.parseInt(System.getenv("PORT"));
    String ca = System.getenv("CA_FILE");
    ChannelCredentials credentials = ca.isEmpty()
        ? InsecureChannelCredentials.create()
        : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    new UsersClient(Grpc.newChannelBuilderForAddress(host, port, credentials).build()).checkAll();
    System.out.println("end");
  }

  private void checkAll() throws InterruptedException {
    check("create a user, with ASCII, binary and repeated metadata; the request id comes back", () -> {
      Metadata metadata = new Metadata();
      metadata.put(ascii("ip"), "127.0.0.1");
      metadata.put(Metadata.Key.of("trace-bin", Metadata.BINARY_BYTE_MARSHALLER), new byte[] {0, -1});
      metadata.put(ascii("tag"), "one");
      metadata.put(ascii("tag"), "two");
      metadata.put(ascii("x-request-id"), "peer-1");
      AtomicReference<Metadata> headers = new AtomicReference<>();
      Channel observed = ClientInterceptors.intercept(users,
          MetadataUtils.newAttachHeadersInterceptor(metadata),
          MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()));
      CreateUserRequest request = CreateUserRequest.newBuilder().setUsername(name).build();
      CreateUserResult result = ClientCalls.blockingUnaryCall(observed, CREATE_USER, CallOptions.DEFAULT, request);
      equal(result.getUser().getUsername(), name);
      equal(headers.get().get(ascii("x-request-id")), "peer-1");
    });
    check("stream users in the order of the request; one who is missing has no user", () -> {
      List<String> found = new ArrayList<>();
      getUsers(CallOptions.DEFAULT, List.of(name, name + "-nobody", name))
          .forEachRemaining(it -> found.add(it.hasUser() ? it.getUser().getUsername() : null));
      List<String> expected = new ArrayList<>(List.of(name, name));
      expected.add(1, null);
      equal(found, expected);
    });
    check("stream 1,000 users", () -> equal(count(getUsers(CallOptions.DEFAULT, times(1000))), 1000));
    check("compressed requests and responses", () ->
        equal(count(getUsers(CallOptions.DEFAULT.withCompression("gzip"), times(500))), 500));
    check("a deadline: DEADLINE_EXCEEDED", () -> {
      CallOptions late = CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.MILLISECONDS);
      StatusRuntimeException error = thrown(() -> count(getUsers(late, times(10_000))));
      equal(error.getStatus().getCode(), Status.Code.DEADLINE_EXCEEDED);
    });
    check("a name that is taken: ALREADY_EXISTS with ErrorInfo", () -> {
      StatusRuntimeException error = thrown(() -> create(CreateUserRequest.newBuilder().setUsername(name).build()));
      equal(error.getStatus().getCode(), Status.Code.ALREADY_EXISTS);
      equal(error.getStatus().getDescription(), "the username is taken");
      equal(detail(error, ErrorInfo.class).getReason(), "USERNAME_TAKEN");
    });
    check("bad input: INVALID_ARGUMENT with every violation in BadRequest", () -> {
      StatusRuntimeException error = thrown(() ->
          create(CreateUserRequest.newBuilder().setUsername("-").setEmail("nowhere").build()));
      equal(error.getStatus().getCode(), Status.Code.INVALID_ARGUMENT);
      List<String> fields = new ArrayList<>();
      detail(error, BadRequest.class).getFieldViolationsList().forEach(it -> fields.add(it.getField()));
      Collections.sort(fields);
      equal(fields, List.of("email", "username"));
    });
    check("100 calls at a time on one connection", () -> {
      List<CompletableFuture<Integer>> calls = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        calls.add(CompletableFuture.supplyAsync(() -> count(getUsers(CallOptions.DEFAULT, times(1)))));
      }
      for (CompletableFuture<Integer> call : calls) equal(call.get(), 1);
    });
    check("cancel a stream", () -> equal(cancelled().getCode(), Status.Code.CANCELLED));
    check("health", () -> {
      HealthGrpc.HealthBlockingStub health = HealthGrpc.newBlockingStub(channel);
      HealthCheckRequest request = HealthCheckRequest.newBuilder().setService("Users").build();
      equal(health.check(request).getStatus(), ServingStatus.SERVING);
      // The stream stays open, so its first message has arrived before its end.
      equal(health.watch(request).next().getStatus(), ServingStatus.SERVING);
    });
    check("an unknown method: UNIMPLEMENTED", () -> {
      MethodDescriptor<CreateUserRequest, CreateUserResult> nothing =
          CREATE_USER.toBuilder().setFullMethodName("Users/Nothing").build();
      StatusRuntimeException error = thrown(() -> ClientCalls.blockingUnaryCall(
          users, nothing, CallOptions.DEFAULT, CreateUserRequest.getDefaultInstance()));
      equal(error.getStatus().getCode(), Status.Code.UNIMPLEMENTED);
    });
    channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
  }

  private static void check(String what, Work work) {
    try {
      work.run();
      System.out.println("ok\t" + what);
    } catch (Exception | AssertionError error) { // whatever it is, the next check runs
      String why = String.valueOf(error).replaceAll("\\s+", " ");
      System.out.println("not ok\t" + what + "\t" + why);
    }
  }

  /** How a stream ends that is cancelled at its first message. */
  private Status cancelled() throws Exception {
    CompletableFuture<Status> end = new CompletableFuture<>();
    ClientCall<GetUsersRequest, GetUsersResult> call =
        users.newCall(GET_USERS, CallOptions.DEFAULT);
    ClientCalls.asyncServerStreamingCall(call, asking(times(10_000)),
        new ClientResponseObserver<GetUsersRequest, GetUsersResult>() {
          @Override public void beforeStart(ClientCallStreamObserver<GetUsersRequest> stream) {}

          @Override public void onNext(GetUsersResult result) {
            call.cancel("enough", null);
          }

          @Override public void onError(Throwable error) {
            end.complete(Status.fromThrowable(error));
          }

          @Override public void onCompleted() {
            end.complete(Status.OK);
          }
        });
    return end.get(20, TimeUnit.SECONDS);
  }

  private List<String> times(int count) {
    return Collections.nCopies(count, name);
  }

  private CreateUserResult create(CreateUserRequest request) {
    return ClientCalls.blockingUnaryCall(users, CREATE_USER, CallOptions.DEFAULT, request);
  }

  private Iterator<GetUsersResult> getUsers(CallOptions options, List<String> names) {
    return ClientCalls.blockingServerStreamingCall(users, GET_USERS, options, asking(names));
  }

  private static <I extends Message, O extends Message> MethodDescriptor<I, O> method(
      MethodType type, String method, I request, O response) {
    return MethodDescriptor.<I, O>newBuilder()
        .setType(type)
        .setFullMethodName("Users/" + method)
        .setRequestMarshaller(ProtoUtils.marshaller(request))
        .setResponseMarshaller(ProtoUtils.marshaller(response))
        .build();
  }

  private static GetUsersRequest asking(List<String> names) {
    GetUsersRequest.Builder request = GetUsersRequest.newBuilder();
    for (String one : names) request.addUser(User.newBuilder().setUsername(one));
    return request.build();
  }

  private static int count(Iterator<?> results) {
    int count = 0;
    for (; results.hasNext(); results.next()) count++;
    return count;
  }

  private static Metadata withToken(Metadata metadata) {
    String token = System.getenv("TOKEN");
    if (!token.isEmpty()) metadata.put(ascii("authorization"), "Bearer " + token);
    return metadata;
  }

  private static Metadata.Key<String> ascii(String key) {
    return Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static StatusRuntimeException thrown(Work work) {
    try {
      work.run();
    } catch (StatusRuntimeException error) {
      return error;
    } catch (Exception error) {
      throw new AssertionError(error);
    }
    throw new AssertionError("the call did not fail");
  }

  private static <M extends Message> M detail(StatusRuntimeException error, Class<M> type)
      throws Exception {
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    for (com.google.protobuf.Any detail : status.getDetailsList()) {
      if (detail.is(type)) return detail.unpack(type);
    }
    throw new AssertionError("no " + type.getSimpleName() + " in " + status);
  }

  private static void equal(Object actual, Object expected) {
    if (!actual.equals(expected)) throw new AssertionError(actual + " instead of " + expected);
  }
}
