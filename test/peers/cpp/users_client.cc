// Calls the service with gRPC's C++ client and says of each check how it went. The environment names the server: HOST,
// PORT, and CA_FILE and TOKEN if it needs them; NAME is a user name that nobody has.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "users.grpc.pb.h"

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using users::CreateUserRequest;
using users::CreateUserResult;
using users::GetUsersRequest;
using users::GetUsersResult;

namespace {

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <typename Actual, typename Expected>
void equal(const Actual& actual, const Expected& expected) {
  if (actual == expected) return;
  std::ostringstream why;
  why << actual << " instead of " << expected;
  throw std::runtime_error(why.str());
}

void check(const std::string& what, const std::function<void()>& work) {
  try {
    work();
    std::cout << "ok\t" << what << "\n";
  } catch (const std::exception& error) {  // whatever it is, the next check runs
    std::cout << "not ok\t" << what << "\t" << error.what() << "\n";
  }
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const std::string& ca) {
  if (ca.empty()) return grpc::InsecureChannelCredentials();
  std::stringstream pem;
  pem << std::ifstream(ca).rdbuf();
  return grpc::SslCredentials({pem.str(), "", ""});
}

class UsersClient {
 public:
  explicit UsersClient(const std::shared_ptr<grpc::Channel>& channel) : users_(Users::NewStub(channel)) {}

  void checkAll() {
    check("create a user, with ASCII, binary and repeated metadata; the request id comes back", [this] {
      auto context = begin();
      context->AddMetadata("ip", "127.0.0.1");
      context->AddMetadata("trace-bin", std::string("\0\xff", 2));
      context->AddMetadata("tag", "one");
      context->AddMetadata("tag", "two");
      context->AddMetadata("x-request-id", "peer-1");
      CreateUserResult result;
      const Status status = create(*context, name_, &result);
      equal(status.error_code(), StatusCode::OK);
      equal(result.user().username(), name_);
      const auto id = context->GetServerInitialMetadata().find("x-request-id");
      if (id == context->GetServerInitialMetadata().end()) throw std::runtime_error("no request id");
      equal(std::string(id->second.data(), id->second.size()), std::string("peer-1"));
    });
    check("stream users in the order of the request; one who is missing has no user", [this] {
      auto context = begin();
      std::string found;
      const Status status = get(*context, {name_, name_ + "-nobody", name_}, [&](const GetUsersResult& it) {
        found += (it.has_user() ? it.user().username() : "-") + " ";
      });
      equal(status.error_code(), StatusCode::OK);
      equal(found, name_ + " - " + name_ + " ");
    });
    check("stream 1,000 users", [this] {
      auto context = begin();
      equal(count(*context, 1000), 1000);
    });
    check("compressed requests and responses", [this] {
      auto context = begin();
      context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
      equal(count(*context, 500), 500);
    });
    check("a deadline: DEADLINE_EXCEEDED", [this] {
      auto context = begin();
      context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
      const Status status = get(*context, times(10'000), [](const GetUsersResult&) {});
      equal(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
    });
    check("a name that is taken: ALREADY_EXISTS with details", [this] {
      auto context = begin();
      CreateUserResult result;
      const Status status = create(*context, name_, &result);
      equal(status.error_code(), StatusCode::ALREADY_EXISTS);
      equal(status.error_message(), std::string("the username is taken"));
      if (status.error_details().find("USERNAME_TAKEN") == std::string::npos) throw std::runtime_error("no reason");
    });
    check("bad input: INVALID_ARGUMENT, and a message for people", [this] {
      auto context = begin();
      CreateUserResult result;
      const Status status = create(*context, "-", &result);
      equal(status.error_code(), StatusCode::INVALID_ARGUMENT);
      equal(status.error_message().find("the request is not valid: username must be 1 to 64 of A-Z"), 0u);
    });
    check("100 calls at a time on one connection", [this] {
      std::vector<std::future<int>> calls;
      for (int i = 0; i < 100; i++) {
        calls.push_back(std::async(std::launch::async, [this] {
          auto context = begin();
          return count(*context, 1);
        }));
      }
      for (auto& call : calls) equal(call.get(), 1);
    });
    check("cancel a stream", [this] {
      auto context = begin();
      const Status status =
          get(*context, times(10'000), [&](const GetUsersResult&) { context->TryCancel(); });
      equal(status.error_code(), StatusCode::CANCELLED);
    });
    check("change what a FieldMask names; an etag that is outdated: ABORTED", [this] {
      users::UpdateUserRequest request;
      request.mutable_key()->set_username(name_);
      request.set_password("correct horse");
      request.set_email("not this");
      request.mutable_update_mask()->add_paths("password");
      users::UpdateUserResult changed;
      equal(users_->UpdateUser(begin().get(), request, &changed).error_code(), StatusCode::OK);
      equal(changed.account().has_password(), true);
      equal(changed.account().email(), "");
      if (changed.account().created_at().seconds() <= 0) throw std::runtime_error("no time");
      request.set_etag("of another");
      equal(users_->UpdateUser(begin().get(), request, &changed).error_code(), StatusCode::ABORTED);
    });
    check("check a password: right, and wrong", [this] {
      users::CheckPasswordRequest request;
      request.mutable_key()->set_username(name_);
      users::CheckPasswordResult result;
      request.set_password("correct horse");
      equal(users_->CheckPassword(begin().get(), request, &result).error_code(), StatusCode::OK);
      equal(result.user().username(), name_);
      request.set_password("another one");
      equal(users_->CheckPassword(begin().get(), request, &result).error_code(), StatusCode::UNAUTHENTICATED);
    });
    check("remove, twice", [this] {
      users::DeleteUserRequest request;
      request.mutable_key()->set_username(name_);
      users::DeleteUserResult result;
      equal(users_->DeleteUser(begin().get(), request, &result).error_code(), StatusCode::OK);
      equal(result.user().username(), name_);
      equal(users_->DeleteUser(begin().get(), request, &result).error_code(), StatusCode::OK);
      equal(result.has_user(), false);
    });
  }

 private:
  std::unique_ptr<ClientContext> begin() const {
    auto context = std::make_unique<ClientContext>();
    if (const std::string token = setting("TOKEN"); !token.empty()) {
      context->AddMetadata("authorization", "Bearer " + token);
    }
    return context;
  }

  Status create(ClientContext& context, const std::string& username, CreateUserResult* result) {
    CreateUserRequest request;
    request.set_username(username);
    return users_->CreateUser(&context, request, result);
  }

  Status get(ClientContext& context, const std::vector<std::string>& usernames,
             const std::function<void(const GetUsersResult&)>& each) {
    GetUsersRequest request;
    for (const auto& username : usernames) request.add_user()->set_username(username);
    const auto reader = users_->GetUsers(&context, request);
    GetUsersResult result;
    while (reader->Read(&result)) each(result);
    return reader->Finish();
  }

  int count(ClientContext& context, int asked) {
    int found = 0;
    const Status status = get(context, times(asked), [&](const GetUsersResult&) { found++; });
    equal(status.error_code(), StatusCode::OK);
    return found;
  }

  std::vector<std::string> times(int count) const { return std::vector<std::string>(count, name_); }

  const std::string name_ = setting("NAME");
  const std::unique_ptr<Users::Stub> users_;
};

}  // namespace

int main() {
  const auto channel = grpc::CreateChannel(setting("HOST") + ":" + setting("PORT"), credentials(setting("CA_FILE")));
  UsersClient(channel).checkAll();
  std::cout << "end\n";
}
