#include "features/scanning/checks/authenticity.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/dns_answer.h"
#include "base/text.h"
#include "features/scanning/checks/authentication.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t questions_max = 64;     // in one batch
constexpr std::size_t lookups_max = 200;      // single questions behind the first batch
constexpr std::chrono::seconds time_max{15};  // for all: slow servers give temperror, not a scan without end

std::optional<dmarc::PublicSuffixes>& suffixes() {
  static std::optional<dmarc::PublicSuffixes> list;
  return list;
}

// Answers asked for at most once.
class Questions {
 public:
  explicit Questions(Scan& scan) : scan_(scan) {}

  void ask(std::vector<dns::Question> questions) {
    std::erase_if(questions, [this](const dns::Question& question) {
      const auto name = dns::normal_name(question.name);
      if (name && *name == question.name) return false;
      known_[question].status = dns::AnswerStatus::nxdomain;  // no name that DNS could carry
      return true;
    });
    if (questions.size() > questions_max) questions.resize(questions_max);
    if (questions.empty()) return;
    if (std::chrono::steady_clock::now() - started_ > time_max) {
      for (const dns::Question& question : questions) known_[question].status = dns::AnswerStatus::timeout;
      return;
    }
    std::vector<dns::Answer> answers = scan_.answers.resolve(questions, scan_.deadline);
    answers.resize(questions.size());  // what is missing counts as failed
    for (std::size_t i = 0; i < questions.size(); ++i) known_.insert_or_assign(questions[i], std::move(answers[i]));
  }

  dns::Answer look_up(const dns::Question& question) {
    if (const auto found = known_.find(question); found != known_.end()) return found->second;
    if (lookups_++ >= lookups_max) return {};
    ask({question});
    return known_[question];
  }

 private:
  Scan& scan_;
  std::map<dns::Question, dns::Answer> known_;
  std::size_t lookups_ = 0;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

std::string best_of(const std::vector<dkim::SignatureResult>& signatures) {
  using enum dkim::Outcome;
  for (const dkim::Outcome outcome : {pass, temperror, fail, policy, permerror, neutral}) {
    for (const dkim::SignatureResult& signature : signatures) {
      if (signature.outcome == outcome) return std::string(dkim::name_of(outcome));
    }
  }
  return "none";
}

// The value of our field alone: the gateway writes the name in front.
std::string value_of(std::string_view field) {
  const std::size_t colon = field.find(':');
  return std::string(trim(colon == std::string_view::npos ? field : field.substr(colon + 1)));
}

void take_result(Scan& scan, const authentication::AuthenticationResult& found) {
  Authentication& out = scan.result.authentication;
  out.spf = spf::name_of(found.spf.outcome);
  out.dkim = best_of(found.dkim);
  out.dmarc = dmarc::name_of(found.dmarc.outcome);
  const bool has_policy = !found.dmarc.record_domain.empty();
  out.dmarc_policy = has_policy ? std::string(dmarc::name_of(found.dmarc.published)) : std::string();
  out.field = value_of(found.header_field);
  scan.result.findings.dmarc_reject = found.dmarc.disposition == dmarc::Policy::reject;
  scan.result.findings.dmarc_quarantine = found.dmarc.disposition == dmarc::Policy::quarantine;
  if (found.dmarc.outcome == dmarc::Outcome::fail)
    scan.reason("authentication.dmarc_fail", "DMARC failed: the author domain did not send this.");
}

std::size_t author_fields(const dkim::MessageView& message) {
  return static_cast<std::size_t>(std::count_if(message.fields.begin(), message.fields.end(), [](const auto& field) {
    return equals_ignoring_case(trim(field.name), "from");
  }));
}

void remove_forged_results(Scan& scan, const dkim::MessageView& view, const std::vector<std::size_t>& forged) {
  for (const std::size_t index : forged) {
    if (index >= view.fields.size()) continue;
    const auto offset = static_cast<std::size_t>(view.fields[index].whole.data() - scan.bytes().data());
    // The same field in our own reading, with its line end.
    for (std::uint32_t i = 0; i < scan.message.parts.front().field_count; ++i) {
      const mime::Field& field = scan.message.fields[i];
      if (field.whole.offset != offset) continue;
      scan.result.splices.push_back({field.whole.offset, field.whole.length, {}});
      scan.reason("header.forged_results", "Authentication results that pretend to be ours were removed.");
    }
  }
}

}  // namespace

void check_authenticity(Scan& scan) {
  if (!suffixes()) {
    if (!load_suffixes()) return scan.unscannable("scan.no_suffix_list", "The public suffix list is not loaded.");
  }
  authentication::AuthenticationInput input;
  input.client_ip = dns::parse_address(scan.request.client_ip).value_or("");
  input.helo = scan.request.helo;
  input.mail_from = scan.request.mail_from;
  input.message = dkim::split_message(scan.bytes());
  input.authserv_id = scan.request.authserv_id;
  input.now = std::chrono::sys_seconds(std::chrono::seconds(scan.request.received_at / 1000));
  input.sample = static_cast<unsigned>(static_cast<std::uint64_t>(scan.request.received_at) % 100);
  Questions questions(scan);
  questions.ask(authentication::first_questions(input, *suffixes()));
  const auto found =
      authentication::evaluate(input, *suffixes(), [&](const dns::Question& question) { return questions.look_up(question); });
  take_result(scan, found);
  if (found.dmarc.outcome == dmarc::Outcome::permerror && author_fields(input.message) > 1) {
    // Readers show different authors, so no author domain's wish could be carried out.
    scan.result.findings.malformed = true;
    scan.reason("malformed.author", "There is more than one From field.");
  }
  remove_forged_results(scan, input.message, found.forged_results);
}

Status load_suffixes() {
  if (suffixes()) return done();
  for (const char* path :
       {"/usr/share/publicsuffix/public_suffix_list.dafsa", "/usr/share/publicsuffix/public_suffix_list.dat"}) {
    if (auto list = dmarc::PublicSuffixes::load(path)) {
      suffixes() = std::move(*list);
      return done();
    }
  }
  ASSIGN_OR_RETURN(suffixes(), dmarc::PublicSuffixes::built_in());
  return done();
}

}  // namespace mailhold::scanning
