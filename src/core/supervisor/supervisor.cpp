#include "core/supervisor/supervisor.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "core/supervisor/attachment.h"
#include "core/supervisor/preparation.h"
#include "core/supervisor/spawn.h"
#include "platform/crypto/hash.h"
#include "platform/ipc/messages.h"
#include "platform/ipc/unit_socket.h"
#include "platform/net/wait.h"
#include "platform/sandbox/sandbox.h"

namespace mailhold::supervisor {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto restart_wait_min = 100ms;
constexpr auto restart_wait_max = 5000ms;
constexpr auto stop_wait = 10s;
const std::string self = "supervisor";

Deadline soon() { return Deadline::after(5s); }

// SHA-256 of a program as it lies there when it is started; empty when it cannot be read.
std::string hash_of_program(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  crypto::Sha256 hash;
  std::string block(1 << 16, '\0');
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0)
    hash.update(std::string_view(block).substr(0, static_cast<std::size_t>(file.gcount())));
  return file.eof() ? to_hex(hash.finish()) : std::string();
}

}  // namespace

struct Supervisor::Process {
  explicit Process(Program chosen) : program(std::move(chosen)) {}
  Program program;
  bool running = false;
  pid_t pid = -1;            // of one that is attached: as it says itself
  std::string program_hash;  // of those who may ask brokerd
  std::unique_ptr<ipc::Channel> control;
  bool ready = false;
  int restarts = 0;
  std::chrono::milliseconds wait = restart_wait_min;
  Steady::time_point started{};
  Steady::time_point restart_at{};
};

Supervisor::Supervisor(Settings settings, std::string programs)
    : settings_(std::move(settings)),
      programs_(std::move(programs)),
      users_first_(settings_.number("mailhold.users_first")),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Supervisor::~Supervisor() {
  for (auto& [channel, thread] : serving_) channel->close();
}

void Supervisor::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

Supervisor::Process* Supervisor::find(const std::string& name) {
  for (const auto& process : processes_) {
    if (process->program.name == name) return process.get();
  }
  return nullptr;
}

Result<std::vector<std::string>> Supervisor::start(const Deadline& deadline) {
  sandbox::refuse_dumps();
  ASSIGN_OR_RETURN(topology_, topology_of(settings_));
  const bool starts_processes = !is_all_attached(topology_);
  if (starts_processes && ::geteuid() != 0)
    return Error{ErrorKind::denied,
                 "`mailhold up` needs root: it makes users and namespaces for its processes, and gives its rights up after that"};
  RETURN_IF_ERROR(make_folders(topology_, settings_.text("mailhold.data"), users_first_));
  listeners_ = ipc::take_unit_listeners();
  for (const Listener& listener : topology_.listeners) {
    if (listeners_.contains(listener.name)) continue;
    ASSIGN_OR_RETURN(listeners_[listener.name], listen_on(listener.address));
  }
  // What starting and ending processes takes.
  RETURN_IF_ERROR(starts_processes
                      ? sandbox::keep_capabilities({CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN, CAP_KILL, CAP_SYS_RESOURCE})
                      : sandbox::keep_capabilities({}));
  const std::lock_guard lock(mutex_);
  authd_ = std::make_unique<AuthdPool>(settings_, topology_.authd, programs_, [this](int keyd_end) {
    const int end[] = {keyd_end};
    const Process* keyd = find("keyd");
    if (keyd != nullptr && keyd->running) (void)keyd->control->send(ipc::encode_peer("authd", ipc::Side::serves), end, soon());
  });
  for (const Program& program : topology_.programs) processes_.push_back(std::make_unique<Process>(program));
  for (const auto& process : processes_) RETURN_IF_ERROR(start_process(*process));
  std::vector<std::string> missing;
  for (const auto& process : processes_) {
    while (!process->ready) {
      auto word = process->control->receive(deadline);
      if (!word && word.error().kind == ErrorKind::unavailable && process->program.may_come_later) {
        log_error("supervisor", process->program.name + " does not start; it is tried again");
        missing.push_back(process->program.name);
        break;
      }
      if (!word) return word.error().while_doing("starting " + process->program.name);
      take_word(*process, word->bytes);
    }
  }
  authd_->fill();
  return missing;
}

// Its control channel.
Result<std::unique_ptr<ipc::Channel>> Supervisor::new_process(Process& process) {
  const Program& program = process.program;
  process.pid = -1;
  if (program.attached) {
    ASSIGN_OR_RETURN(ipc::OwnedFd connection, attach(settings_, program));
    return std::make_unique<ipc::Channel>(std::move(connection));
  }
  ASSIGN_OR_RETURN(auto pair, ipc::Channel::socket_pair());
  ASSIGN_OR_RETURN(process.pid,
                   spawn({programs_ + "/" + program.binary, program.arguments, static_cast<uid_t>(users_first_ + program.user),
                          program.network, pair.second.get(), program.nice}));
  return std::make_unique<ipc::Channel>(std::move(pair.first));
}

// The start message, its channels to all living peers, then "go".
Status Supervisor::start_process(Process& process) {
  const bool asks_brokerd = std::any_of(topology_.edges.begin(), topology_.edges.end(), [&](const Edge& edge) {
    return edge.server == "brokerd" && edge.caller == process.program.name;
  });
  if (asks_brokerd) process.program_hash = hash_of_program(programs_ + "/" + process.program.binary);
  ASSIGN_OR_RETURN(process.control, new_process(process));
  process.running = true;
  process.ready = false;
  process.started = Steady::now();
  ipc::StartMessage start;
  start.settings = settings_.values();
  for (const Folder& folder : topology_.folders) {
    for (const auto& name : folder.given_to) {
      if (name == process.program.name) start.directories[folder.name] = settings_.text("mailhold.data") + "/" + folder.name;
    }
  }
  std::vector<int> sockets;
  for (const Listener& listener : topology_.listeners) {
    if (listener.program != process.program.name) continue;
    start.listeners.push_back(listener.name);
    sockets.push_back(listeners_.at(listener.name).get());
  }
  RETURN_IF_ERROR(process.control->send(start.encode(), sockets, soon()));
  connect_edges(process);
  return process.control->send(ipc::encode_go(), soon());
}

// New channels for every edge of this process; the living other end gets its side at once,
// one that is not running gets it when it is started, since that call comes by here again.
void Supervisor::connect_edges(Process& process) {
  for (const Edge& edge : topology_.edges) {
    const bool calls = edge.caller == process.program.name;
    if (!calls && edge.server != process.program.name) continue;
    const std::string& other_name = calls ? edge.server : edge.caller;
    Process* other = find(other_name);
    if (other_name != self && (other == nullptr || !other->running)) continue;
    auto pair = ipc::Channel::socket_pair();
    if (!pair) continue;
    const int ours[] = {pair->first.get()};
    const int theirs[] = {pair->second.get()};
    (void)process.control->send(ipc::encode_peer(other_name, calls ? ipc::Side::calls : ipc::Side::serves), ours, soon());
    if (other_name == self) {
      serve(process.program.name, std::move(pair->second));
    } else {
      (void)other->control->send(ipc::encode_peer(process.program.name, calls ? ipc::Side::serves : ipc::Side::calls), theirs,
                                 soon());
    }
  }
}

void Supervisor::serve(const std::string& role, ipc::OwnedFd socket) {
  auto channel = std::make_shared<ipc::Channel>(std::move(socket));
  serving_.emplace_back(channel, std::jthread([this, channel, role](const std::stop_token& stop) {
                          ipc::serve_channel(
                              channel, role, [this](const std::shared_ptr<ipc::Call>& call) { handle(call); }, stop);
                        }));
}

void Supervisor::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->method() == method_new_authd && call->peer == "brokerd") {
    const std::lock_guard lock(mutex_);
    auto authd = authd_->take();
    if (!authd) return call->fail(authd.error());
    const int fds[] = {authd->broker_end.get()};
    call->reply(ByteWriter().u32(authd->number).view(), fds);
    return authd_->fill();  // while brokerd already goes on
  }
  if (call->method() == method_end_authd && call->peer == "brokerd") {
    ByteReader reader(call->body());
    const std::lock_guard lock(mutex_);
    return call->answer(authd_->end(reader.u32()));
  }
  if (call->method() == method_program_hash && call->peer == "brokerd")
    return call->answer(program_hash(std::string(call->body())));
  if (call->method() == ipc::method_api && call->peer == "apid") return call->reply(status_json());
  call->fail(Error{ErrorKind::denied, "not for " + call->peer});
}

std::string Supervisor::status_json() {
  const std::lock_guard lock(mutex_);
  boost::json::array programs;
  for (const auto& process : processes_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - process->started).count();
    programs.push_back({{"name", process->program.name},
                        {"pid", process->pid},
                        {"running", process->running},
                        {"started_by", process->program.attached ? "systemd" : "supervisor"},
                        {"restarts", process->restarts},
                        {"seconds", seconds}});
  }
  return boost::json::serialize(
      boost::json::object{{"processes", programs}, {"authd_waiting", authd_->waiting()}, {"authd_working", authd_->working()}});
}

Result<std::string> Supervisor::program_hash(const std::string& role) {
  const std::lock_guard lock(mutex_);
  const Process* process = find(role);
  if (process == nullptr || !process->running) return Error{ErrorKind::not_found, "no such process"};
  if (process->program_hash.empty()) return Error{ErrorKind::unavailable, "the program of " + role + " was not measured"};
  return process->program_hash;
}

void Supervisor::run() {
  while (!stopping_) {
    (void)net::wait_until(wake_.get(), net::Ready::to_read, Deadline::after(100ms));
    const std::lock_guard lock(mutex_);
    reap();
    take_words();
    restart_due();
    authd_->forget_ended();
    authd_->fill();
    forget_closed_channels();
  }
  end_all();
}

void Supervisor::forget_closed_channels() {
  std::erase_if(serving_, [](const auto& each) { return has_closed(*each.first); });
}

void Supervisor::take_word(Process& process, std::string_view word) {
  const auto pid = ipc::parse_ready(word);
  if (!pid) return log_error("supervisor", "an unknown word from " + process.program.name);
  process.ready = true;
  if (process.program.attached) process.pid = static_cast<pid_t>(*pid);
}

// What the programs say, and which of those that are not our children have ended.
void Supervisor::take_words() {
  for (const auto& process : processes_) {
    if (!process->running) continue;
    if (has_words(*process->control)) {
      if (const auto word = process->control->receive(soon())) take_word(*process, word->bytes);
    } else if (process->program.attached && has_closed(*process->control)) {
      ended(*process, "itself; its unit knows how");
    }
  }
}

void Supervisor::ended(Process& process, const std::string& how) {
  log_warning("supervisor", process.program.name + " ended by " + how);
  process.pid = -1;
  process.running = false;
  process.control->close();
  if (Steady::now() - process.started > 10s) process.wait = restart_wait_min;
  process.restart_at = Steady::now() + process.wait;
  process.wait = std::min(process.wait * 2, restart_wait_max);
  // Waiting authd processes hold channels to the keyd that died.
  if (process.program.name == "keyd") authd_->end_waiting();
}

void Supervisor::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (authd_->forget_zygote(pid)) continue;
    for (const auto& process : processes_) {
      if (process->pid != pid || process->program.attached) continue;
      ended(*process, WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                          : "exit code " + std::to_string(WEXITSTATUS(status)));
    }
  }
}

void Supervisor::restart_due() {
  for (const auto& process : processes_) {
    if (process->running || Steady::now() < process->restart_at) continue;
    if (const Status started = start_process(*process); !started) {
      log_error("supervisor", "starting " + process->program.name + " again: " + started.error().detail);
      process->restart_at = Steady::now() + process->wait;
      continue;
    }
    ++process->restarts;
    log_info("supervisor", process->program.name + " started again");
  }
}

// In reverse order of starting: nobody is left without those it calls.
void Supervisor::end_all() {
  const std::lock_guard lock(mutex_);
  for (auto process = processes_.rbegin(); process != processes_.rend(); ++process) {
    if ((*process)->running) end(**process);
  }
  authd_->end_all();
}

void Supervisor::end(Process& process) {
  (void)process.control->send(ipc::encode_stop(), soon());
  const auto patience = Steady::now() + stop_wait;
  int status = 0;
  const auto has_ended = [&] {
    return process.program.attached ? has_closed(*process.control) : ::waitpid(process.pid, &status, WNOHANG) != 0;
  };
  while (!has_ended()) {
    if (Steady::now() > patience) {
      log_warning("supervisor", process.program.name + " did not end in time");
      process.control->close();  // where it is attached, it ends by that
      if (process.program.attached) break;
      ::kill(process.pid, SIGKILL);
      ::waitpid(process.pid, &status, 0);
      break;
    }
    std::this_thread::sleep_for(5ms);
  }
  process.running = false;
  process.pid = -1;
}

}  // namespace mailhold::supervisor
