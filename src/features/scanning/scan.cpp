#include "features/scanning/scan.h"

#include <algorithm>

#include "base/dns_answer.h"
#include "features/scanning/checks/authenticity.h"
#include "features/scanning/checks/contents.h"
#include "features/scanning/checks/file_types.h"
#include "features/scanning/checks/header.h"
#include "features/scanning/checks/links.h"
#include "features/scanning/checks/scan_state.h"
#include "formats/mime/text.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t reasons_max = 64;

void judge_structure(Scan& scan) {
  for (const mime::Oddity& oddity : scan.message.oddities.all()) {
    const bool matters = mime::matters(oddity.kind);
    const bool limit = mime::is_limit(oddity.kind);
    scan.result.findings.malformed |= matters;
    scan.result.findings.unscannable |= limit;
    scan.reason((limit     ? "limit."
                 : matters ? "malformed."
                           : "odd.") +
                    std::string(mime::name_of(oddity.kind)),
                mime::explain(oddity.kind));
  }
}

void sort_splices(std::vector<Splice>& splices) {
  std::stable_sort(splices.begin(), splices.end(), [](const Splice& a, const Splice& b) { return a.offset < b.offset; });
  // One field removed for two reasons.
  std::uint64_t end = 0;
  std::erase_if(splices, [&](const Splice& splice) {
    const bool overlaps = splice.offset < end;
    if (!overlaps) end = splice.offset + splice.length;
    return overlaps;
  });
}

std::vector<BodySpan> layout_of(const Scan& scan) {
  std::vector<BodySpan> layout;
  mail::Shift shift(scan.result.splices);
  for (const mime::Part& part : scan.message.parts) {
    if (!part.is_leaf() || part.body.empty()) continue;
    const std::uint64_t begin = shift.start(part.body.offset);
    const std::uint64_t end = shift.end(part.body.end());
    layout.push_back({begin, end - begin, part.encoding == mime::Encoding::base64});
  }
  return layout;
}

}  // namespace

void Scan::reason(std::string_view code, std::string_view text) {
  if (result.reasons.size() >= reasons_max) return;
  for (const Reason& known : result.reasons) {
    if (known.code == code) return;
  }
  result.reasons.push_back({std::string(code), std::string(text)});
}

ScanResult scan_message(const ScanRequest& request, Answers& answers, const Deadline& deadline, const Limits& limits) {
  Scan scan{request, answers, deadline, limits};
  if (request.content.size() > limits.message_bytes_max) {
    scan.unscannable("limit.message_too_big", "The message is bigger than is looked at.");
    return std::move(scan.result);
  }
  scan.message = mime::parse(request.content, {limits.parts_max, limits.depth_max, limits.headers_max});
  check_header(scan);
  check_authenticity(scan);
  Contents(scan).run();
  judge_structure(scan);
  check_links(scan);
  sort_splices(scan.result.splices);
  scan.result.layout = layout_of(scan);
  return std::move(scan.result);
}

namespace {

class NoAnswers final : public Answers {
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
    return std::vector<dns::Answer>(questions.size());
  }
  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
    return std::vector<std::string>(urls.size());
  }
  Result<int> connect_clamd(const Deadline&) override { return Error{ErrorKind::unavailable, "not here"}; }
};

// Libraries that open files do so at their first use (OpenSSL reads its configuration): here, not in a jail.
void use_everything_once() {
  ScanRequest request;
  request.client_ip = "192.0.2.1";
  request.helo = "mail.example";
  request.mail_from = "a@mail.example";
  request.authserv_id = "mail.example";
  request.content =
      "From: =?utf-8?q?a?= <a@mail.example>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
      "text/html\r\n\r\n"
      "<a href='http://www.mail.example/'>x</a>\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
      "base64\r\n\r\nAAECAwQF\r\n--b--\r\n";
  NoAnswers answers;
  (void)scan_message(request, answers, Deadline::after(std::chrono::seconds(10)));
}

}  // namespace

Status load_scan_tables() {
  mime::load_converters();
  RETURN_IF_ERROR(load_suffixes());
  RETURN_IF_ERROR(load_file_types());
  use_everything_once();
  return done();
}

}  // namespace mailhold::scanning
