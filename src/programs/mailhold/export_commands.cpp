// export, import: a mailbox's backup as files other programs read, and files of other programs as a backup.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "features/recover/import_frames.h"
#include "formats/mbox/mbox.h"
#include "programs/mailhold/signing.h"

namespace mailhold::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using mailboxes::FolderPath;
using namespace std::chrono_literals;

constexpr std::size_t read_bytes = 1U << 20;

Error file_error(const std::string& path, const std::string& what) {
  return Error{ErrorKind::invalid_input, path + ": " + what + ": " + std::strerror(errno)};
}

// The mailbox and its tenant, by id or by its name where that is one's alone.
Result<json::object> find_mailbox(Console& console, const std::string& named) {
  ASSIGN_OR_RETURN(const std::string answer, console.ask(R"({"verb":"mailbox.list"})"));
  const json::array mailboxes = json::parse(answer).as_object().at("mailboxes").as_array();
  const json::object* found = nullptr;
  for (const json::value& each : mailboxes) {
    const json::object& mailbox = each.as_object();
    if (mailbox.at("mailbox").as_string() != named && mailbox.at("name").as_string() != named) continue;
    if (found != nullptr) return Error{ErrorKind::invalid_input, "more than one mailbox has that name: give the id"};
    found = &mailbox;
  }
  if (found == nullptr) return Error{ErrorKind::not_found, "no such mailbox; see mailhold mailbox list"};
  return *found;
}

// Signs for the contents to leave. The second person approves it; then `export write` writes the file.
Status allow(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const json::object mailbox, find_mailbox(console, typed.one("mailbox")));
  ASSIGN_OR_RETURN(const Id tenant, Id::parse(std::string(mailbox.at("tenant").as_string())));
  std::map<std::string, std::string> arguments{{"mailbox", std::string(mailbox.at("mailbox").as_string())},
                                               {"form", typed.has("form") ? typed.one("form") : "files"}};
  for (const char* name : {"folder", "item"}) {
    if (typed.has(name)) arguments[name] = typed.one(name);
  }
  if (typed.has("at")) {
    const auto at = parse_iso8601(typed.one("at"));
    if (!at) return Error{ErrorKind::invalid_input, "--at must be a time in UTC, such as 2026-11-21T18:00:00Z"};
    arguments["at"] = to_iso8601(*at);
  }
  return apply(console, typed, "export.allow", tenant, std::move(arguments));
}

Status await(Console& console, const std::string& job) {
  for (;;) {
    ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(json::object{{"verb", "export.show"}, {"job", job}})));
    const json::object view = json::parse(answer).as_object();
    if (!view.at("over").as_bool()) {
      std::this_thread::sleep_for(200ms);
      continue;
    }
    if (const json::value* failure = view.if_contains("failure"))
      return Error{ErrorKind::unavailable, "the export came to no end: " + std::string(failure->as_string())};
    console.print(answer);
    const auto failed = view.at("failed").to_number<std::uint64_t>();
    if (failed > 0) return Error{ErrorKind::corrupt, std::to_string(failed) + " items did not open; INDEX.jsonl names them"};
    return done();
  }
}

// The file is opened here, as the person who runs this: Mailhold writes what it is handed and chooses no path.
Status write(Console& console, const Typed& typed) {
  const std::string path = typed.one("to");
  const ipc::OwnedFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.is_open()) return file_error(path, "can't be made");
  const int fds[] = {file.get()};
  const auto answer = console.ask(json::serialize(json::object{{"verb", "export.write"}, {"export", typed.one("export")}}), fds);
  const Status written =
      answer ? await(console, std::string(json::parse(*answer).as_object().at("job").as_string())) : Status(answer.error());
  // A part of a ZIP is worth nothing; a whole one that names items which do not open is kept.
  if (!written && written.error().kind != ErrorKind::corrupt) ::unlink(path.c_str());
  return written;
}

// What is in a folder, sorted.
Result<std::vector<fs::path>> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code problem;
  for (auto entry = fs::directory_iterator(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem))
    entries.push_back(entry->path());
  if (problem) return Error{ErrorKind::invalid_input, folder.string() + ": " + problem.message()};
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code problem;
  return fs::is_directory(path, problem);
}

bool is_file(const fs::path& path) {
  std::error_code problem;
  return fs::is_regular_file(path, problem);
}

// Reads files and sends their messages.
class Importer {
 public:
  Importer(ipc::Channel& channel, FolderPath top) : channel_(channel), top_(std::move(top)) {}

  // An mbox file, a Maildir folder, or a folder of either, with the folders below it.
  Status add(const fs::path& path, const FolderPath& below = {}) {
    if (is_folder(path / "cur")) return add_maildir(path, below);
    if (is_file(path)) return add_mbox(path, below);
    if (!is_folder(path)) return Error{ErrorKind::invalid_input, path.string() + " is neither an mbox file nor a folder"};
    if (below.size() > mailboxes::folder_depth_max) return Error{ErrorKind::limit_exceeded, path.string() + " lies too deep"};
    ASSIGN_OR_RETURN(const std::vector<fs::path> inside, entries_of(path));
    for (const fs::path& each : inside) {
      if (each.filename().string().starts_with('.')) continue;
      FolderPath folder = below;
      folder.push_back(each.extension() == ".mbox" ? each.stem().string() : each.filename().string());
      RETURN_IF_ERROR(add(each, folder));
    }
    return done();
  }
  Status end() { return send(recover::end_frame(messages_)); }

 private:
  Status send(const std::string& frame) { return channel_.send(frame, Deadline::after(300s)); }

  Status open_folder(const FolderPath& below) {
    FolderPath path = top_;
    path.insert(path.end(), below.begin(), below.end());
    if (path.empty()) path.emplace_back("INBOX");
    return send(recover::folder_frame(path));
  }

  Status add_message(std::string content, Milliseconds received_at, const std::vector<std::string>& flags) {
    content = mbox::with_crlf(std::move(content));
    if (content.empty()) return done();
    ++messages_;
    return send(recover::message_frame(std::max<Milliseconds>(received_at, 0), flags, content));
  }

  Status add_mbox(const fs::path& path, const FolderPath& below) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return file_error(path.string(), "can't be read");
    RETURN_IF_ERROR(open_folder(below));
    mbox::MboxReader reader(recover::import_message_bytes_max);
    std::string buffer(read_bytes, '\0');
    const auto send_ready = [&]() -> Status {
      while (auto message = reader.next())
        RETURN_IF_ERROR(add_message(std::move(message->content), message->received_at, message->flags));
      return done();
    };
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0) {
      const Status read = reader.receive(std::string_view(buffer).substr(0, static_cast<std::size_t>(file.gcount())));
      if (!read) return read.error().while_doing(path.string());
      RETURN_IF_ERROR(send_ready());
    }
    if (const Status ended = reader.end(); !ended) return ended.error().while_doing(path.string());
    return send_ready();
  }

  // Messages of a Maildir, then its subfolders (Maildir++: ".Archive.2026").
  Status add_maildir(const fs::path& path, const FolderPath& below) {
    RETURN_IF_ERROR(open_folder(below));
    for (const char* part : {"cur", "new"}) {
      if (!is_folder(path / part)) continue;
      ASSIGN_OR_RETURN(const std::vector<fs::path> files, entries_of(path / part));
      for (const fs::path& each : files) RETURN_IF_ERROR(add_file(each));
    }
    ASSIGN_OR_RETURN(const std::vector<fs::path> inside, entries_of(path));
    for (const fs::path& each : inside) {
      const std::string name = each.filename().string();
      if (name.size() < 2 || name.front() != '.' || !is_folder(each / "cur")) continue;
      FolderPath folder = below;
      for (std::size_t at = 1; at <= name.size();) {
        const std::size_t dot = std::min(name.find('.', at), name.size());
        folder.push_back(name.substr(at, dot - at));
        at = dot + 1;
      }
      RETURN_IF_ERROR(add_maildir(each, folder));
    }
    return done();
  }

  Status add_file(const fs::path& path) {
    struct stat state{};
    if (::stat(path.c_str(), &state) != 0 || !S_ISREG(state.st_mode)) return done();
    if (static_cast<std::size_t>(state.st_size) > recover::import_message_bytes_max)
      return Error{ErrorKind::limit_exceeded, path.string() + " is larger than a message may be"};
    std::ifstream file(path, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(file), {}};
    if (file.bad() || content.size() != static_cast<std::size_t>(state.st_size))
      return file_error(path.string(), "can't be read");
    return add_message(std::move(content), static_cast<Milliseconds>(state.st_mtim.tv_sec) * 1000,
                       mbox::maildir_flags(path.filename().string()));
  }

  ipc::Channel& channel_;
  const FolderPath top_;
  std::uint64_t messages_ = 0;
};

Status import(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  ASSIGN_OR_RETURN(auto sockets, ipc::Channel::socket_pair());
  const int fds[] = {sockets.second.get()};
  json::object request{{"verb", "import.start"}, {"tenant", tenant.text()}, {"name", typed.one("name")}};
  if (typed.has("restore-connection")) request["restore_connection"] = typed.one("restore-connection");
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request), fds));
  sockets.second.reset();
  ipc::Channel channel(std::move(sockets.first));
  Importer importer(channel, typed.has("folder") ? mailboxes::parse_path(typed.one("folder")) : FolderPath());
  Status sent = done();
  for (const std::string& path : typed.values.at("from")) {
    if (sent) sent = importer.add(path);
  }
  if (sent) sent = importer.end();
  // Where workerd has broken it off, it says why; else it is what was read here.
  if (!sent && !sent.error().is_temporary()) return sent;
  ASSIGN_OR_RETURN(const ipc::Frame last, channel.receive(Deadline::after(300s)));
  ASSIGN_OR_RETURN(const recover::ImportReport report, recover::parse_import_answer(last.bytes));
  json::object shown = json::parse(answer).as_object();
  shown["added"] = report.added;
  shown["present"] = report.present;
  console.print(json::serialize(shown));
  return done();
}

}  // namespace

std::vector<Command> export_commands() {
  const Option key{"key", "File with your own key; it signs the operation", true};
  return {
      {"export",
       "allow",
       "Sign that contents of a backup may leave; a second person approves it",
       {{"mailbox", "Name or id of the mailbox", true, Form::position},
        {"at", "As of this moment (UTC); without it: the last sync"},
        {"folder", "Only this folder and what is below it, as in Projects/2026"},
        {"item", "Only this item"},
        {"form", "files (one for each item, exact) or mbox (one for each folder); without it: files"},
        key},
       "mailhold export allow alice@example.com --at 2026-11-21T18:00:00Z --key ~/.mailhold.key",
       allow},
      {"export",
       "write",
       "Write an export that was approved to a new file; an error if any item does not open",
       {{"export", "As export allow named it", true, Form::position}, {"to", "The ZIP file to make", true}},
       "mailhold export write 5f… --to alice.zip",
       write},
      {"import",
       "start",
       "Keep mail of mbox files and Maildir folders as a mailbox that can be searched, restored and exported",
       {{"tenant", "Name or id of the tenant", true},
        {"name", "What the mailbox is called", true},
        {"from", "An mbox file, a Maildir, or a folder of them; may be given again", true, Form::values},
        {"folder", "Put it all below this folder"},
        {"restore-connection", "Id of a connection with purpose restore.write, if it is to be restored to a server"}},
       "mailhold import start --tenant example --name 'alice, before 2020' --from /media/alice/Maildir",
       import},
  };
}

}  // namespace mailhold::cli
