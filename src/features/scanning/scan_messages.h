// The bytes between the gateway and a scanning worker: every frame is u8 kind and a body. The worker parses what the
// gateway sends; the gateway parses what the worker sends as hostile, since the worker has read hostile mail.
//
// Design: docs/formats/scanning.md
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dns_answer.h"
#include "base/result.h"
#include "features/scanning/comparison.h"
#include "features/scanning/scan.h"

namespace mailhold::scanning {

// What a worker sends, and what answers it. The gateway begins with `scan`, workerd with `compare`.
enum class FrameKind : std::uint8_t {
  scan = 1,     // gateway: the message; worker: the result, which ends the dialogue
  dns = 2,      // worker: questions; gateway: as many answers
  wrap = 3,     // worker: URLs; gateway: as many replacements
  clamd = 4,    // worker: asks; gateway: u8 1 and one descriptor, or u8 0
  compare = 5,  // workerd: two contents; worker: whether they mean the same, which ends the dialogue
  extract = 6,  // workerd: a message; worker: its text, which ends the dialogue (extract_messages.h)
  program = 7,  // worker: asks for a program that reads a PDF; workerd: u8 1 and its socket, or u8 0
};

struct ScanCall {
  ScanRequest request;  // content is a view into the parsed bytes
  Limits limits;
  std::chrono::milliseconds time_left{};
};

std::string encode_scan(const ScanCall& call);
Result<ScanCall> parse_scan(std::string_view frame);

std::string encode_questions(std::span<const dns::Question> questions);
Result<std::vector<dns::Question>> parse_questions(std::string_view frame);  // at most 64
std::string encode_answers(std::span<const dns::Answer> answers);
Result<std::vector<dns::Answer>> parse_answers(std::string_view frame);

// URLs and their replacements. At most 2000, each at most 64 KiB, 16 MiB together.
std::string encode_urls(std::span<const std::string> urls);
Result<std::vector<std::string>> parse_urls(std::string_view frame);

std::string encode_clamd(bool granted);
std::string encode_program(bool granted);

std::string encode_result(const ScanResult& result);
// corrupt unless every text, count and offset is within its bounds: splices sorted, apart, within a message of that
// size and together at most limits.replaced_bytes_max; layout sorted, apart, within the message that results.
Result<ScanResult> parse_result(std::string_view frame, std::uint64_t message_size, const Limits& limits);

std::string encode_compare(const CompareRequest& request);
Result<CompareRequest> parse_compare(std::string_view frame);  // views into the frame; corrupt, also where one is too long
std::string encode_comparison(const Comparison& comparison);
Result<Comparison> parse_comparison(std::string_view frame);  // corrupt unless every name is one, and it says one thing

// The kind of a frame; corrupt if it is empty or unknown.
Result<FrameKind> kind_of(std::string_view frame);

// The zygote: methods of scannerd's channel, for gatewayd-in and workerd.
inline constexpr std::uint16_t method_new_worker = 1;     // tenant (16 bytes) -> u64 number, with the gateway's end of the socket
inline constexpr std::uint16_t method_kill_worker = 2;    // u64 number -> nothing
inline constexpr std::uint16_t method_start_program = 3;  // nothing -> the socket of a document program; for workerd

}  // namespace mailhold::scanning
