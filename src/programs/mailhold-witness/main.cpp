// mailhold-witness: a witness of transparency logs (C2SP tlog-witness), run by a tenant or a partner. Wiring only.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "base/secret_text.h"
#include "base/text.h"
#include "core/witness/witness_server.h"
#include "platform/net/listener.h"
#include "platform/sandbox/profiles.h"

namespace {

using namespace mailhold;

constexpr const char* about =
    "mailhold-witness: cosigns the checkpoints of transparency logs as long as each continues the one before.\n"
    "\n"
    "  mailhold-witness new-key --name witness.example/w1 --key FILE     makes a key, prints its public part\n"
    "  mailhold-witness serve --name witness.example/w1 --key FILE --state FOLDER --listen 127.0.0.1:8090 --log KEY\n"
    "\n"
    "The log's KEY is what `mailhold ledger status` prints; ask for it in person or by telephone, not only by mail.\n"
    "FOLDER holds what was cosigned last. Never put back an older copy of it: take a new key instead.";

struct Given {
  std::string name;
  std::string key_file;
  std::string state;
  std::string listen = "127.0.0.1:8090";
  std::vector<std::string> logs;
};

Status make_key(const Given& given) {
  if (!tlog::is_key_name(given.name)) return Error{ErrorKind::invalid_input, "--name: no spaces and no plus"};
  const SecretText seed = SecretText::random(crypto::ed25519_seed_size);
  ASSIGN_OR_RETURN(const crypto::Ed25519Signer signer, crypto::Ed25519Signer::from_seed(seed.reveal()));
  const int file = ::open(given.key_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return Error{ErrorKind::already_exists, given.key_file + " exists already, or cannot be made"};
  const SecretText text = SecretText::take(to_hex(seed.reveal()) + "\n");
  const std::string_view bytes = text.reveal();
  const bool written = ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!written) return Error{ErrorKind::unavailable, given.key_file + " could not be written"};
  std::cout << tlog::CosignerKey{given.name, signer.public_key()}.text() << std::endl;
  return done();
}

Result<crypto::Ed25519Signer> read_key(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat attributes{};
  if (file < 0 || ::fstat(file, &attributes) != 0) return Error{ErrorKind::not_found, path + " cannot be read"};
  char text[2 * crypto::ed25519_seed_size];
  const ssize_t count = ::read(file, text, sizeof text);
  ::close(file);
  if ((attributes.st_mode & 077) != 0) return Error{ErrorKind::denied, path + " may be read by others: make it mode 600"};
  const SecretText hex = SecretText::take(std::string(text, count < 0 ? 0 : static_cast<std::size_t>(count)));
  auto seed = from_hex(hex.reveal());
  if (!seed) return Error{ErrorKind::invalid_input, path + " holds no key of a witness"};
  const SecretText kept = SecretText::take(std::move(*seed));
  return crypto::Ed25519Signer::from_seed(kept.reveal());
}

Result<int> listener_at(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto port = colon == text.npos ? std::nullopt : to_number(text.substr(colon + 1));
  if (!port || *port > 65535) return Error{ErrorKind::invalid_input, "--listen: expected ADDRESS:PORT"};
  std::string ip = text.substr(0, colon);
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  return net::listen_tcp(ip, static_cast<std::uint16_t>(*port));
}

Status serve(const Given& given) {
  witness::WitnessSettings settings{given.state, given.name, {}};
  for (const std::string& text : given.logs) {
    auto key = tlog::NoteKey::parse(text);
    if (!key) return Error{ErrorKind::invalid_input, "--log: expected the log's key as `mailhold ledger status` prints it"};
    settings.logs.push_back(std::move(*key));
  }
  ASSIGN_OR_RETURN(crypto::Ed25519Signer signer, read_key(given.key_file));
  if (::mkdir(given.state.c_str(), 0700) != 0 && errno != EEXIST)
    return Error{ErrorKind::unavailable, "--state: " + given.state + " cannot be made"};
  ASSIGN_OR_RETURN(const int listener, listener_at(given.listen));
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it: only this one takes them
  ::signal(SIGPIPE, SIG_IGN);
  sandbox::enter_or_exit(sandbox::profile_of("mailhold-witness", {{"witness", given.state}}));

  ASSIGN_OR_RETURN(const auto witness, witness::Witness::open(std::move(settings), std::move(signer)));
  log_info("witness", "serves as " + witness->key().text());
  std::jthread serving([&](const std::stop_token& stop) { witness::serve(listener, *witness, stop); });
  int which = 0;
  ::sigwait(&signals, &which);
  serving.request_stop();
  return done();
}

}  // namespace

int main(int count, char** arguments) {
  set_program_name("mailhold-witness");
  Given given;
  CLI::App app{about};
  app.require_subcommand(1);
  CLI::App* const new_key = app.add_subcommand("new-key", "Make a key; prints its public part");
  CLI::App* const serving = app.add_subcommand("serve", "Answer add-checkpoint until stopped");
  for (CLI::App* const each : {new_key, serving}) {
    each->add_option("--name", given.name, "Name of the witness, usually a URL without scheme")->required();
    each->add_option("--key", given.key_file, "File with its secret key, mode 600")->required();
  }
  serving->add_option("--state", given.state, "Folder for what was cosigned last")->required();
  serving->add_option("--listen", given.listen, "Address and port");
  serving->add_option("--log", given.logs, "Key of a log to cosign for; may be repeated")->required();
  CLI11_PARSE(app, count, arguments);
  const Status outcome = new_key->parsed() ? make_key(given) : serve(given);
  if (outcome) return 0;
  std::cerr << "mailhold-witness: " << outcome.error().detail << std::endl;
  return outcome.error().is_temporary() ? 75 : outcome.error().kind == ErrorKind::corrupt ? 7 : 2;
}
