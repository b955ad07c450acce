#include "features/gateway/inbound/acceptance.h"

#include "base/log.h"
#include "features/gateway/inbound/trace_fields.h"

namespace mailhold::gateway {

// One message on its way.
struct Acceptance::Work {
  Submission submission;
  AcceptedMessage head;
  std::string body;
  Decision decision;

  const Tenant& tenant() const { return *submission.tenant; }
  const std::string& content() const { return submission.message.content; }
};

namespace {

smtp::Reply our_fault() { return smtp::reply(451, "4.3.0", "cannot take the message now; try again later"); }

AcceptedMessage head_of(const Submission& submission, const Id& id, Milliseconds now) {
  AcceptedMessage head;
  head.message = id;
  head.tenant = submission.tenant->id;
  head.accepted_at = now;
  head.client_ip = submission.client_ip;
  head.helo = submission.helo;
  head.tls = submission.tls;
  head.mail_from = submission.message.mail.from.text();
  for (const smtp::Address& recipient : submission.message.recipients) head.rcpt_to.push_back(recipient.text());
  head.eight_bit = submission.message.mail.eight_bit;
  head.size = submission.message.content.size();
  return head;
}

std::string trace_fields(const Submission& submission, const AcceptedMessage& head, const std::string& host_name) {
  return received_field({host_name, submission.helo, submission.client_ip, submission.extended, submission.tls, head.message,
                         head.rcpt_to.size() == 1 ? std::string_view(head.rcpt_to.front()) : std::string_view(),
                         head.accepted_at});
}

void take_facts(AcceptedMessage& head, const scanning::ScanResult& scan, std::uint64_t prefix_bytes) {
  head.scanned = true;
  if (!scan.facts.from.empty()) head.header_from = scan.facts.from.front();
  head.subject = scan.facts.subject;
  head.message_id = scan.facts.message_id;
  head.spf = scan.authentication.spf;
  head.dkim = scan.authentication.dkim;
  head.dmarc = scan.authentication.dmarc;
  head.virus = scan.findings.virus;
  head.links = scan.facts.link_count;
  for (const scanning::Attachment& one : scan.facts.attachments)
    head.attachments.push_back({one.name, one.type, one.size, one.sha256});
  for (const scanning::BodySpan& one : scan.layout) head.layout.push_back({one.offset + prefix_bytes, one.length, one.base64});
}

}  // namespace

void Acceptance::accept(Submission submission, Finished finished, std::stop_token stop) {
  Work work;
  work.submission = std::move(submission);
  work.head = head_of(work.submission, Id::random(), parts_.clock->now());
  const std::uint64_t size_max = work.tenant().limits.message_bytes_max;
  if (size_max != 0 && work.head.size > size_max) {
    return refuse(std::move(work), "size", smtp::reply(552, "5.3.4", "message size exceeds the limit of the recipient"),
                  std::move(finished));
  }
  if (count_received(work.content()) > settings_.hops_max) {
    return refuse(std::move(work), "loop", smtp::reply(554, "5.4.6", "too many hops: the message is in a loop"),
                  std::move(finished));
  }
  if (work.tenant().policy.scan == ScanMode::none) {
    work.body = assemble(trace_fields(work.submission, work.head, settings_.host_name), work.content(), {}).value();
    return keep(std::move(work), std::move(finished));
  }
  scan_and_decide(work, stop);
  switch (work.decision.outcome) {
    case Outcome::deliver: return keep(std::move(work), std::move(finished));
    case Outcome::hold:
      work.head.disposition = Disposition::held;
      work.head.held_for = work.decision.decided_by;
      return keep(std::move(work), std::move(finished));
    case Outcome::tempfail:
      ++counts_.tempfailed;
      counts_.count_reason(work.decision.decided_by);
      return finished(work.decision.refusal);
    case Outcome::reject: {
      const std::string code = work.decision.decided_by;
      smtp::Reply reply = work.decision.refusal;
      return refuse(std::move(work), code, std::move(reply), std::move(finished));
    }
  }
}

// Afterwards work.decision stands, and unless it is to be refused, work.body and the head's facts.
void Acceptance::scan_and_decide(Work& work, const std::stop_token& stop) {
  const Tenant& tenant = work.tenant();
  const auto fail = [&work](const char* code) { work.decision = {Outcome::tempfail, code, {}, our_fault()}; };
  const Deadline deadline = Deadline::after(settings_.scan_time, stop);
  const std::string& link_base = tenant.link_base.empty() ? settings_.link_base : tenant.link_base;
  const links::LinkWrapper* wrapper = nullptr;
  if (tenant.policy.rewrite_links && !link_base.empty() && parts_.wrappers != nullptr) {
    const auto made = parts_.wrappers->for_base(link_base);
    if (!made) return fail("link_base");
    wrapper = *made;
  }
  scanning::ScanRequest request;
  request.tenant = tenant.id;
  request.client_ip = work.head.client_ip;
  request.helo = work.head.helo;
  request.mail_from = work.head.mail_from;
  request.rcpt_to = work.head.rcpt_to;
  request.authserv_id = settings_.host_name;
  request.link_base = link_base.empty() ? link_base : link_base + "/";
  for (const Domain& domain : tenant.domains) request.tenant_domains.push_back(domain.name);
  request.rewrite_links = wrapper != nullptr;
  request.ask_clamd = static_cast<bool>(parts_.connect_clamd);
  request.received_at = work.head.accepted_at;
  request.content = work.content();

  ScanAnswers answers(tenant.id, work.head.message, work.head.accepted_at, *parts_.resolver, wrapper, parts_.connect_clamd);
  const Result<scanning::ScanResult> scan = parts_.scan(request, answers, deadline);
  if (!scan) {
    log_warning("inbound", "message " + work.head.message.text() + ": no scan: " + std::string(name_of(scan.error().kind)));
    return fail("scanner_away");
  }
  if (answers.lacks_link_key()) return fail("link_key_away");
  work.decision = decide(tenant.policy, *scan);
  work.head.reasons = work.decision.reasons;
  std::string prefix = trace_fields(work.submission, work.head, settings_.host_name);
  if (!is_folded(scan->authentication.field)) return fail("scanner_field");
  if (!scan->authentication.field.empty()) prefix += "Authentication-Results: " + scan->authentication.field + "\r\n";
  take_facts(work.head, *scan, prefix.size());
  work.head.links_rewritten = answers.links_wrapped();
  if (work.decision.outcome == Outcome::reject || work.decision.outcome == Outcome::tempfail) return;
  Result<std::string> body = assemble(prefix, work.content(), scan->splices);
  // The worker has read hostile bytes: what it gave back must still be one well-formed message.
  if (!body || !has_only_crlf(*body)) return fail("splices");
  work.body = std::move(*body);
}

void Acceptance::keep(Work work, Finished finished) {
  spool::SpoolItem item;
  item.message = work.head.message;
  item.tenant = work.head.tenant;
  item.accepted_at = work.head.accepted_at;
  item.head = write_accepted(work.head);
  item.body = std::move(work.body);
  const bool held = work.head.disposition == Disposition::held;
  if (held) counts_.count_reason(work.head.held_for);

  // Invariant 3: accepted means kept. The 250 is made nowhere but in this callback, after the disk has the item.
  auto shared = std::make_shared<Finished>(std::move(finished));
  const Status queued = parts_.spool->append(
      item, [this, shared, held, id = work.head.message, size = work.head.size](Result<spool::Location> location) {
        if (!location) {
          ++counts_.tempfailed;
          counts_.count_reason("spool");
          return (*shared)(our_fault());
        }
        ++counts_.accepted;
        counts_.bytes_accepted += size;
        if (held) ++counts_.held;
        (*shared)(smtp::reply(250, "2.0.0", "kept as " + id.text()));
      });
  if (queued) return;
  log_warning("inbound", "message " + work.head.message.text() + ": not spooled: " + std::string(name_of(queued.error().kind)));
  ++counts_.tempfailed;
  counts_.count_reason("spool");
  (*shared)(our_fault());
}

// The refusal is recorded for the trace; if that fails the sender is told the same.
void Acceptance::refuse(Work work, std::string_view code, smtp::Reply reply, Finished finished) {
  ++counts_.rejected;
  counts_.count_reason(code);
  work.head.disposition = Disposition::rejected;
  work.head.held_for = std::string(code);
  work.head.layout.clear();
  if (work.head.reasons.empty()) work.head.reasons.push_back({std::string(code), reply.text()});
  work.head.reply = std::to_string(reply.code) + " " + reply.enhanced + " " + reply.text();
  spool::SpoolItem item{work.head.message, work.head.tenant, work.head.accepted_at, write_accepted(work.head), {}};
  auto shared = std::make_shared<std::pair<Finished, smtp::Reply>>(std::move(finished), std::move(reply));
  const Status queued = parts_.spool->append(item, [shared](const Result<spool::Location>&) { shared->first(shared->second); });
  if (!queued) shared->first(shared->second);
}

}  // namespace mailhold::gateway
