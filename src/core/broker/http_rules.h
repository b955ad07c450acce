// HttpRules: which requests a worker may make on an http connection: templates of method and path, the mailboxes in scope,
// and the parts of a $batch, each judged as if it came alone. Pure; any thread.
//
// Whatever the templates say, a purpose keeps its word: restore.write adds, and never deletes, moves or writes over what is
// there; restore.overwrite does the same, and writes over one version that it names; backup.read, journal and directory.read have
// no method that writes but POST, which templates must not give them but for what reads; backup.prove sees names, and else works
// in collections of its own alone (formats/http/proof_collection.h).
//
//   "GET /v1.0/users/{mailbox}/messages/**"   {mailbox}: one of the connection's, *: any one segment, **: whatever follows
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::broker {

struct AllowedRequest {
  std::vector<std::string> mailboxes;  // that it reaches, in the order of the parts
  std::size_t parts = 1;               // requests it stands for
  std::string body;                    // what goes on: of a $batch, written again
};

// One template, cut at its slashes.
struct HttpTemplate {
  std::string method;
  std::vector<std::string> segments;
};

// Whether every template among `writing_verbs` that may change something leads to paths, or into the {mailbox}, that one among
// `reading_verbs` reads. A POST changes something unless it is a $batch.
bool writes_where_it_reads(const std::vector<std::string>& reading_verbs, const std::vector<std::string>& writing_verbs);

class HttpRules {
 public:
  HttpRules(const std::vector<std::string>& templates, std::vector<std::string> mailboxes, std::string purpose = {});

  // denied says why not. `if_none_match` and `if_match`: those fields of the request, joined where they come more than once.
  Result<AllowedRequest> check(std::string_view method, std::string_view target, std::string_view body,
                               std::string_view if_none_match = {}, std::string_view if_match = {}) const;

  static constexpr std::size_t batch_parts_max = 20;  // as Microsoft Graph documents it

 private:
  Status check_purpose(std::string_view method, std::string_view target, std::string_view if_none_match,
                       std::string_view if_match) const;
  Result<std::string> check_path(std::string_view method, std::string_view target) const;
  Result<AllowedRequest> check_batch(std::string_view prefix, std::string_view body) const;

  std::vector<HttpTemplate> templates_;
  std::vector<std::string> mailboxes_;
  std::string purpose_;
};

}  // namespace mailhold::broker
