// Starts the worker of a job under strace, which ends it with SIGKILL, or fails its disk, at the n-th system call of a kind; and
// says where such points lie.
#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "peers/kill_point_worker.h"

namespace mailhold::recover::kill_points {

// Contents and flags by folder.
using Picture = std::map<std::string, std::multiset<std::pair<std::string, std::vector<std::string>>>>;

// A mailbox at a server of the parent's.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual Result<ipc::OwnedFd> open_session() = 0;
  virtual Picture picture() = 0;
};

struct Point {
  std::string calls;    // system calls, as strace names them
  std::string what;     // "signal=KILL" or "error=ENOSPC"
  unsigned number = 0;  // the n-th of a thread
};

// How a worker ended.
struct Ended {
  bool was_killed = false;
  Said said;  // if it was not
};

class Rounds {
 public:
  Rounds(fs::path folder, std::string program) : folder_(std::move(folder)), program_(std::move(program)) {}

  // Without a point nothing is done to it. A worker that ends by itself and does not say how ends the program.
  Ended run(Peer* peer, const fs::path& data, const Job& job, Milliseconds moment, const std::optional<Point>& point,
            const fs::path& trace = {}) {
    std::vector<std::string> words;
    if (point || !trace.empty()) {
      words = {"/usr/bin/strace", "-f", "-qq", "-o", trace.empty() ? "/dev/null" : trace.string()};
      const std::string calls = point ? point->calls : all_calls();
      words.insert(words.end(), {"-e", "trace=" + calls, "-e", "signal=none"});
      if (point)
        words.insert(words.end(), {"-e", "inject=" + point->calls + ":" + point->what + ":when=" + std::to_string(point->number) +
                                             (point->what.starts_with("error") ? "+" : "")});
    }
    words.insert(words.end(), {program_, "--worker", data.string(), job, std::to_string(moment)});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    auto ends = *ipc::Channel::socket_pair();
    std::vector<ipc::OwnedFd> sockets;
    give(std::move(ends.second), report_fd, sockets, actions);
    for (int i = 0; peer != nullptr && i < sessions_max; ++i) give(*peer->open_session(), first_session_fd + i, sockets, actions);
    pid_t child = -1;
    if (::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) std::abort();
    ::posix_spawn_file_actions_destroy(&actions);
    sockets.clear();
    int state = 0;
    ::waitpid(child, &state, 0);
    Ended ended;
    ended.was_killed = !WIFEXITED(state) || WEXITSTATUS(state) >= 128;
    if (ended.was_killed) return ended;
    std::string told;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::recv(ends.first.get(), buffer, sizeof buffer, 0)) > 0;)
      told.append(buffer, static_cast<std::size_t>(count));
    const auto said = parse_said(told);
    if (!said) {
      std::cout << job << " ended with " << WEXITSTATUS(state) << " and said nothing of it" << std::endl;
      std::exit(1);
    }
    ended.said = *said;
    return ended;
  }

  static std::string all_calls() {
    return "write,pwrite64,sendto,sendmsg,fdatasync,fsync,ftruncate,fallocate,openat,rename,renameat,renameat2,unlink,unlinkat,"
           "linkat";
  }

  // `count` points spread over what an undisturbed run does: two of three times the process ends, else its disk is full.
  std::vector<Point> points_of(const fs::path& trace, std::size_t count) {
    static const std::pair<const char*, const char*> kinds[] = {{"write,pwrite64", "signal=KILL"},
                                                                {"fdatasync,fsync", "signal=KILL"},
                                                                {"write,pwrite64,fallocate,ftruncate", "error=ENOSPC"},
                                                                {"sendto,sendmsg,write", "signal=KILL"},
                                                                {"openat,unlink,rename", "signal=KILL"},
                                                                {"fdatasync,fsync", "error=EIO"}};
    std::map<std::string, std::map<std::string, unsigned>> calls;  // thread -> call -> how often
    std::ifstream file(trace);
    for (std::string line; std::getline(file, line);) {
      const std::size_t space = line.find(' ');
      const std::size_t begin = line.find_first_not_of(' ', space), end = line.find('(', begin == std::string::npos ? 0 : begin);
      if (begin != std::string::npos && end != std::string::npos) ++calls[line.substr(0, space)][line.substr(begin, end - begin)];
    }
    std::vector<Point> kinds_there;  // with how often a thread makes such a call
    for (const auto& [names, what] : kinds) {
      Point most{names, what, 0};
      // strace counts each call of each thread by itself.
      for (const auto& [thread, of] : calls) {
        for (const auto name : split(names, ',')) {
          const auto found = of.find(std::string(name));
          if (found != of.end()) most.number = std::max(most.number, found->second);
        }
      }
      if (most.number > 0) kinds_there.push_back(most);
    }
    std::vector<Point> points;
    for (std::size_t i = 0; i < count && !kinds_there.empty(); ++i) {
      const Point& kind = kinds_there[i % kinds_there.size()];
      const std::size_t each = count / kinds_there.size() + 1;
      points.push_back({kind.calls, kind.what, 1 + static_cast<unsigned>(i / kinds_there.size() * kind.number / each)});
    }
    return points;
  }

  fs::path fresh(const std::string& name, const fs::path& like = {}) {
    const fs::path path = folder_ / name;
    fs::remove_all(path);
    if (like.empty())
      fs::create_directories(path);
    else
      fs::copy(like, path, fs::copy_options::recursive);
    return path;
  }

 private:
  // Above the numbers they get, so that none is written over by the one before.
  static void give(ipc::OwnedFd socket, int number, std::vector<ipc::OwnedFd>& sockets, posix_spawn_file_actions_t& actions) {
    sockets.emplace_back(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 100));
    ::posix_spawn_file_actions_adddup2(&actions, sockets.back().get(), number);
  }

  const fs::path folder_;
  const std::string program_;
};

}  // namespace mailhold::recover::kill_points
