#include "platform/sandbox/profiles.h"

#include <cstdlib>
#include <filesystem>

#include "base/log.h"

namespace mailhold::sandbox {
namespace {

using enum Right;

struct Row {
  const char* name;
  std::vector<Right> rights;
  std::vector<std::string> readable;  // names of folders the supervisor gives
  std::vector<std::string> writable;
  Violation violation;
  std::uint64_t open_files_max = 1024;
  bool lock_memory = false;
  std::uint64_t address_space_bytes_max = 0;
  std::vector<std::string> installed{};  // files and folders of packages, by path: readable if they are there
  std::vector<std::string> runnable{};   // programs of packages, by path
};

// What a program of a package opens in order to start, and the tables of poppler-data. All of it is public.
const std::vector<std::string> of_programs = {"/usr/lib", "/etc/ld.so.cache", "/usr/share/poppler"};
// The kernel runs a program by its loader, so that needs the right as well.
const std::vector<std::string> document_programs = {"/usr/bin/pdftotext", "/lib64/ld-linux-x86-64.so.2",
                                                    "/lib/ld-linux-aarch64.so.1"};

// Processes that hold keys or parse hostile content end at the first forbidden call; the others are refused it. So is tokend,
// which holds the key of a token: its vendor's module may try what it does not need, such as the system's log.
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"keyd", {threads, files}, {"host"}, {"keystore"}, Violation::kill, 1024, true},
      {"tokend", {threads, files}, {}, {"tokens"}, Violation::refuse, 256, true},
      {"ledgerd", {threads, files}, {}, {"ledger"}, Violation::kill},
      {"brokerd", {threads, files, connect}, {}, {"broker"}, Violation::refuse},
      {"authd", {accept}, {}, {}, Violation::kill, 64},
      {"authd-zygote", {accept, Right::fork, tighten, change_user}, {}, {}, Violation::kill, 64},
      {"resolverd", {threads, connect}, {}, {}, Violation::refuse, 4096},
      {"scannerd", {Right::fork, tighten}, {}, {}, Violation::kill, 4096},
      {"scanner", {}, {}, {}, Violation::kill, 64, false, 768ULL << 20},
      // Programs of other makers may try what they do not need.
      {"document-zygote",
       {Right::fork, tighten, run},
       {},
       {},
       Violation::refuse,
       64,
       false,
       768ULL << 20,
       of_programs,
       document_programs},
      {"document-program", {run}, {}, {}, Violation::refuse, 64, false, 768ULL << 20, of_programs, document_programs},
      {"searchd", {files, Right::fork, tighten}, {}, {"search"}, Violation::kill, 4096},
      // Its folder is that of its tenant, below search.
      {"searcher", {files}, {}, {}, Violation::kill, 1024, false, 2048ULL << 20},
      {"gatewayd-in", {threads, files, accept, connect_unix}, {}, {"spool"}, Violation::refuse, 65536},
      {"gatewayd-out", {threads, files, connect}, {}, {"spool", "store"}, Violation::refuse, 8192},
      {"linkd", {threads, files, accept}, {"links"}, {}, Violation::refuse, 8192},
      {"gossipd", {threads, connect}, {}, {}, Violation::refuse, 256},
      {"mailhold-witness", {threads, files, accept}, {}, {"witness"}, Violation::refuse, 256},
      {"workerd", {threads, files}, {}, {"backup"}, Violation::refuse, 4096},
      {"apid", {threads, files, accept}, {}, {"directory"}, Violation::refuse, 1024},
  };
  return all;
}

std::vector<std::string> paths_of(const std::vector<std::string>& names, const std::map<std::string, std::string>& directories) {
  std::vector<std::string> paths;
  for (const auto& name : names) {
    const auto found = directories.find(name);
    if (found != directories.end()) paths.push_back(found->second);
  }
  return paths;
}

std::vector<std::string> installed_of(const std::vector<std::string>& paths) {
  std::vector<std::string> there;
  std::error_code error;
  for (const std::string& path : paths) {
    if (std::filesystem::exists(path, error)) there.push_back(path);
  }
  return there;
}

}  // namespace

Profile profile_of(const std::string& program, const std::map<std::string, std::string>& directories) {
  for (const Row& row : rows()) {
    if (program != row.name) continue;
    Profile profile{program,
                    row.rights,
                    paths_of(row.readable, directories),
                    paths_of(row.writable, directories),
                    row.violation,
                    row.address_space_bytes_max,
                    row.open_files_max,
                    row.lock_memory,
                    installed_of(row.runnable)};
    for (std::string& path : installed_of(row.installed)) profile.readable.push_back(std::move(path));
    return profile;
  }
  log_error("sandbox", "no profile for " + program);
  std::abort();
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names;
  for (const Row& row : rows()) names.emplace_back(row.name);
  return names;
}

}  // namespace mailhold::sandbox
