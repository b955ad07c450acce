// key, unseal, recovery: the seals of the region and its keys.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/text.h"
#include "core/keys/key_messages.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t shares_bytes_max = 128 * 1024;
constexpr auto progress_pause = std::chrono::milliseconds(500);

// Secrets go to keyd in memory that is nobody's file; what stands between only passes the descriptor on.
Result<ipc::OwnedFd> in_memory(const SecretText& secret) {
  ipc::OwnedFd memory(::memfd_create("secrets", MFD_CLOEXEC));
  if (!memory.is_open() || ::write(memory.get(), secret.reveal().data(), secret.size()) != static_cast<ssize_t>(secret.size()) ||
      ::lseek(memory.get(), 0, SEEK_SET) != 0) {
    return Error{ErrorKind::unavailable, "no memory for the secrets"};
  }
  return memory;
}

// How a seal is opened, by which options were typed: shares, a PIN, else a passphrase.
struct Opening {
  std::string kind;
  SecretText secret;
};
Result<Opening> opening(const Typed& typed) {
  if (typed.has("pin-file") || typed.has("pin")) {
    ASSIGN_OR_RETURN(SecretText pin, read_secret(typed.one("pin-file"), "PIN of the token", false));
    return Opening{"pkcs11", std::move(pin)};
  }
  if (typed.has("share-file")) {
    std::string all;
    for (const std::string& file : typed.values.at("share-file")) {
      ASSIGN_OR_RETURN(const SecretText share, read_secret(file, "", false));
      all.append(share.reveal()).append("\n");
    }
    return Opening{"shamir", SecretText::take(std::move(all))};
  }
  if (typed.has("share")) {
    ASSIGN_OR_RETURN(SecretText share, read_secret("", "share", false));
    return Opening{"shamir", std::move(share)};
  }
  ASSIGN_OR_RETURN(SecretText passphrase, read_secret(typed.one("passphrase-file"), "passphrase", false));
  return Opening{"passphrase", std::move(passphrase)};
}

Status open_seal(Console& console, const Typed& typed, const std::string& verb) {
  ASSIGN_OR_RETURN(const Opening opened, opening(typed));
  ASSIGN_OR_RETURN(const ipc::OwnedFd memory, in_memory(opened.secret));
  const int fds[] = {memory.get()};
  ASSIGN_OR_RETURN(const std::string answer,
                   console.ask(json::serialize(json::object{{"verb", verb}, {"kind", opened.kind}}), fds));
  console.print(answer);
  return done();
}

// One file for each share, readable by its owner alone; or all of them into the answer.
Status hand_out(const std::vector<SecretText>& shares, const std::string& folder, json::object& answer) {
  if (shares.empty()) return done();
  json::array shown;
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (folder.empty()) {
      shown.emplace_back(shares[i].reveal());
      continue;
    }
    const std::string file = folder + "/share-" + std::to_string(i + 1) + ".txt";
    const ipc::OwnedFd target(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const std::string line = std::string(shares[i].reveal()) + "\n";
    if (!target.is_open() || ::write(target.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      return Error{ErrorKind::unavailable,
                   file + " cannot be written; the shares are lost: add another set with `mailhold key add-seal`"};
    shown.emplace_back(file);
  }
  answer["shares"] = std::move(shown);
  answer["note"] = "Give each share to another person, now: they are nowhere else and are not shown again.";
  return done();
}

// Asks for new seals; shares come back in memory that only keyd and this process see.
Status make_seals(Console& console, const Typed& typed, const std::string& verb, const json::array& seals,
                  const std::vector<SecretText>& secrets) {
  ASSIGN_OR_RETURN(const ipc::OwnedFd given, in_memory(keys::encode_secrets(secrets)));
  const ipc::OwnedFd returned(::memfd_create("shares", MFD_CLOEXEC));
  const int fds[] = {given.get(), returned.get()};
  ASSIGN_OR_RETURN(const std::string reply, console.ask(json::serialize(json::object{{"verb", verb}, {"seals", seals}}), fds));
  SecretText buffer = SecretText::zeroed(shares_bytes_max);
  const ssize_t count = ::pread(returned.get(), buffer.data(), buffer.size(), 0);
  ASSIGN_OR_RETURN(const std::vector<SecretText> shares,
                   keys::parse_secrets(buffer.reveal().substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0)))));
  json::object answer = json::parse(reply).as_object();
  RETURN_IF_ERROR(hand_out(shares, typed.one("shares-out"), answer));
  console.print(json::serialize(answer));
  return done();
}

json::object shamir_seal(const Typed& typed) {
  const auto number = [&](const char* name, std::uint64_t otherwise) {
    return typed.has(name) ? to_number(typed.one(name)).value_or(0) : otherwise;
  };
  return {{"kind", "shamir"}, {"shares", number("shares", 5)}, {"threshold", number("threshold", 3)}};
}

// The seal for every day, a passphrase or a token, and shares as the second way in.
Status initialise(Console& console, const Typed& typed) {
  json::array seals;
  std::vector<SecretText> secrets;
  if (typed.has("token")) {
    ASSIGN_OR_RETURN(SecretText pin, read_secret(typed.one("pin-file"), "PIN of the token", false));
    seals.push_back({{"kind", "pkcs11"}, {"token", typed.one("token")}});
    secrets.push_back(std::move(pin));
  }
  if (!typed.has("token") || typed.has("passphrase-file")) {
    ASSIGN_OR_RETURN(SecretText passphrase, read_secret(typed.one("passphrase-file"), "passphrase", true));
    seals.push_back({{"kind", "passphrase"}});
    secrets.push_back(std::move(passphrase));
  }
  seals.push_back(shamir_seal(typed));
  return make_seals(console, typed, "key.initialise", seals, secrets);
}

Status add_seal(Console& console, const Typed& typed) {
  const std::string kind = typed.one("kind");
  std::vector<SecretText> secrets;
  json::object seal{{"kind", kind}, {"token", typed.one("token")}};
  if (kind == "shamir") {
    seal = shamir_seal(typed);
  } else if (kind == "pkcs11") {
    ASSIGN_OR_RETURN(SecretText pin, read_secret(typed.one("pin-file"), "PIN of the token", false));
    secrets.push_back(std::move(pin));
  } else if (kind == "passphrase") {
    ASSIGN_OR_RETURN(SecretText passphrase, read_secret(typed.one("passphrase-file"), "new passphrase", true));
    secrets.push_back(std::move(passphrase));
  }
  return make_seals(console, typed, "key.add-seal", {seal}, secrets);
}

// A day as people write it, counted from 1970.
Result<std::int64_t> day_number(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &end) != 3 || static_cast<std::size_t>(end) != text.size())
    return Error{ErrorKind::invalid_input, "a day is written as in 2026-11-22"};
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return Error{ErrorKind::invalid_input, "there is no such day"};
  return std::chrono::sys_days(date).time_since_epoch().count();
}

Status rotate(Console& console, const Typed& typed) {
  json::object request{{"verb", "key.rotate"}, {"scope", typed.one("scope")}};
  if (typed.has("tenant")) {
    ASSIGN_OR_RETURN(request["tenant"], console.tenant_id(typed.one("tenant")));
  }
  if (typed.has("connection")) request["connection"] = typed.one("connection");
  if (typed.has("day")) {
    ASSIGN_OR_RETURN(request["day"], day_number(typed.one("day")));
  }
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer);
  return done();
}

// What keyd does by itself is waited for; days are rewrapped by the store, in pieces that are asked for here.
Status rewrap(Console& console, const Typed&) {
  for (;;) {
    ASSIGN_OR_RETURN(const std::string status, console.ask(R"({"verb":"key.status"})"));
    const json::value parsed = json::parse(status);
    const json::array& rotations = parsed.as_object().at("rotations").as_array();
    if (rotations.empty()) {
      console.print(status);
      return done();
    }
    bool waits = true;
    for (const json::value& each : rotations) {
      const json::object& rotation = each.as_object();
      std::cerr << "rewrapping a " << std::string(rotation.at("scope").as_string()) << ": " << rotation.at("done") << " of "
                << rotation.at("total") << "\n";
      if (rotation.at("scope") != "day") continue;
      ASSIGN_OR_RETURN(const std::string answer,
                       console.ask(json::serialize(json::object{
                           {"verb", "message.rewrap-day"}, {"tenant", rotation.at("tenant")}, {"day", rotation.at("day")}})));
      const json::value reply = json::parse(answer);
      if (reply.as_object().at("messages_waiting").to_number<std::int64_t>() > 0 && !reply.as_object().at("more").as_bool())
        return Error{ErrorKind::unavailable,
                     "queued or held messages of that day still need its old key: run this again when they are gone"};
      waits = false;
    }
    if (waits) std::this_thread::sleep_for(progress_pause);
  }
}

Status shred(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
  json::object request{{"tenant", tenant}};
  const std::string what = typed.one("what");
  if (what == "message" && typed.has("message")) {
    request["verb"] = "message.shred";
    request["id"] = typed.one("message");
  } else if (what == "day" && typed.has("day")) {
    request["verb"] = "message.shred-day";
    ASSIGN_OR_RETURN(request["day"], day_number(typed.one("day")));
  } else {
    return Error{ErrorKind::invalid_input,
                 "what is shredded is a message (--message ID) or a day (--day 2026-11-22); a whole tenant goes by `mailhold "
                 "tenant remove`"};
  }
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer);
  return done();
}

}  // namespace

std::vector<Command> seal_commands() {
  const Option passphrase_file{"passphrase-file", "Read the passphrase from this file instead of the terminal"};
  const Option pin{"pin", "By a hardware token; asks for its PIN", false, Form::flag};
  const Option pin_file{"pin-file", "By a hardware token; its PIN is read from this file"};
  const Option share{"share", "By a recovery share; asks for it", false, Form::flag};
  const Option share_files{"share-file", "By recovery shares, each in a file", false, Form::values};
  const Option token{"token", "Label of the hardware token"};
  const Option shares{"shares", "How many shares are handed out (5)", false, Form::number};
  const Option threshold{"threshold", "How many of them open the region (3)", false, Form::number};
  const Option shares_out{"shares-out", "Write the shares into this folder, a file each, instead of showing them"};
  const Option tenant{"tenant", "Name or id of the tenant"};
  const Option day{"day", "The day, as in 2026-11-22 (UTC)"};
  return {
      {"key", "status", "Show the seals, the state of the keys and rotations under way", {}, "", {}},
      {"key",
       "initialise",
       "Make the keys of this region, once, with two seals: a passphrase or token, and recovery shares",
       {passphrase_file, token, pin_file, shares, threshold, shares_out},
       "mailhold key initialise --shares 5 --threshold 3 --shares-out /media/usb",
       initialise},
      {"key",
       "add-seal",
       "Add another way to open this region: passphrase, shamir or pkcs11",
       {{"kind", "passphrase, shamir or pkcs11", true, Form::position},
        passphrase_file,
        token,
        pin_file,
        shares,
        threshold,
        shares_out},
       "mailhold key add-seal shamir --shares 5 --threshold 3",
       add_seal},
      {"key",
       "remove-seal",
       "Take a seal away; two must be left",
       {{"seal", "Its id, as in key status", true, Form::position}},
       "",
       {}},
      {"key",
       "rotate",
       "Replace a key and wrap anew what hangs from it, while everything goes on",
       {{"scope", "root, region, tenant, day or connection", true, Form::position},
        tenant,
        day,
        {"connection", "Id of the connection or route"}},
       "mailhold key rotate tenant --tenant example",
       rotate},
      {"key",
       "accept-older-copy",
       "Use a keystore that is older than the ledger says, after the next unseal; it is recorded",
       {},
       "",
       {}},
      {"key", "rewrap", "Wait until all rotations are through, with progress", {}, "", rewrap},
      {"key",
       "shred",
       "Make a message or a day unreadable for ever",
       {{"what", "message or day", true, Form::position},
        {"tenant", "Name or id of the tenant", true},
        day,
        {"message", "Id of the message"}},
       "mailhold key shred day --tenant example --day 2026-11-22",
       shred},
      {"unseal",
       "",
       "Open the keys of this region after a start: by passphrase, hardware token or shares",
       {passphrase_file, pin, pin_file, share, share_files},
       "mailhold unseal --share-file share-1.txt share-4.txt share-5.txt",
       [](Console& console, const Typed& typed) { return open_seal(console, typed, "key.unseal"); }},
      {"recovery",
       "drill",
       "Prove that a seal opens this region, without changing anything",
       {passphrase_file, pin, pin_file, share_files},
       "mailhold recovery drill --share-file share-1.txt share-4.txt share-5.txt",
       [](Console& console, const Typed& typed) { return open_seal(console, typed, "key.drill"); }},
  };
}

}  // namespace mailhold::cli
