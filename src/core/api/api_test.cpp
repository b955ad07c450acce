#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "core/api/api_client.h"
#include "core/api/api_messages.h"
#include "core/api/api_server.h"

namespace mailhold::api {
namespace {

Deadline soon() { return Deadline::after(std::chrono::seconds(5)); }

struct Listening {
  Listening() : path("/tmp/api-test-" + std::to_string(::getpid())) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    socket = ipc::OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket.get(), 16), 0);
  }
  ~Listening() { ::unlink(path.c_str()); }
  std::string path;
  ipc::OwnedFd socket;
};

TEST(Api, answers_or_says_why_not_and_stops_when_asked) {
  Listening listening;
  ApiServer server([](Request& request, const Deadline&) -> Result<std::string> {
    if (request.json == "bad") return Error{ErrorKind::not_found, "no such thing"};
    if (request.json == "throw") throw std::runtime_error("library");
    return "{" + request.json + "," + std::to_string(request.fds.size()) + "}";
  });
  std::jthread thread([&](const std::stop_token& stop) { server.run(std::move(listening.socket), stop); });
  auto client = ApiClient::connect(listening.path);
  ASSERT_TRUE(client);
  const int fds[] = {0};
  EXPECT_EQ(*client->ask("one", fds, soon()), "{one,1}");
  EXPECT_EQ(client->ask("bad", soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(client->ask("throw", soon()).error().detail, "internal error");
  EXPECT_EQ(*client->ask("two", soon()), "{two,0}");
}

TEST(Api, names_the_socket_that_is_not_there) {
  EXPECT_NE(ApiClient::connect("/nowhere/api.sock").error().detail.find("/nowhere/api.sock"), std::string::npos);
}

TEST(Api, a_reply_that_makes_no_sense_is_an_error) {
  EXPECT_FALSE(parse_reply(""));
  EXPECT_EQ(parse_reply("\xff"
                        "x")
                .error()
                .kind,
            ErrorKind::bug);
}

}  // namespace
}  // namespace mailhold::api
