// Console: what a command works with: the API socket, and printing for people or for programs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/secret_text.h"
#include "core/api/api_client.h"
#include "programs/mailhold/command.h"

namespace mailhold::cli {

struct Console {
  std::string socket;
  bool json = false;
  std::string programs;  // folder of the binaries

  // One request; the connection is opened by the first.
  Result<std::string> ask(const std::string& request_json, std::span<const int> fds = {});
  // Prints an answer: as it is with --json, else for people (print.h).
  void print(const std::string& answer_json, const std::vector<std::string>& columns = {}) const;
  // tenant name or id -> id
  Result<std::string> tenant_id(const std::string& name_or_id);
  // mailbox name or id -> id; of that tenant
  Result<std::string> mailbox_id(const std::string& name_or_id, const std::string& tenant);

 private:
  std::optional<api::ApiClient> client_;
};

// {"verb":"noun.verb", the options}; invalid_input names the option that does not read.
Result<std::string> request_of(const Command& command, const Typed& typed);

// From the file, or typed without echo. `twice` asks again and compares.
Result<SecretText> read_secret(const std::string& file, const std::string& prompt, bool twice);

}  // namespace mailhold::cli
