#include "platform/dns/resolver_messages.h"

namespace mailhold::dns {

std::string encode(const ResolveRequest& request) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(request.time.count())).u32(static_cast<std::uint32_t>(request.questions.size()));
  for (const Question& question : request.questions) write(writer, question);
  return writer.take();
}

Result<ResolveRequest> parse_request(std::string_view bytes) {
  ByteReader reader(bytes);
  ResolveRequest request;
  request.time = std::chrono::milliseconds(reader.u32());
  const std::uint32_t count = reader.count(6);
  if (!reader.ok() || count == 0 || count > questions_max) return Error{ErrorKind::invalid_input, "dns: not 1 to 64 questions"};
  for (std::uint32_t index = 0; index < count; ++index) {
    Result<Question> question = read_question(reader);
    if (!question) return Error{ErrorKind::invalid_input, "dns: " + question.error().detail};
    request.questions.push_back(std::move(*question));
  }
  if (!reader.finish()) return Error{ErrorKind::invalid_input, "dns: request with bytes behind it"};
  return request;
}

std::string encode(const std::vector<Answer>& answers) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(answers.size()));
  for (const Answer& answer : answers) write(writer, answer);
  return writer.take();
}

Result<std::vector<Answer>> parse_answers(std::string_view bytes, std::size_t count) {
  ByteReader reader(bytes);
  if (reader.u32() != count || !reader.ok()) return Error{ErrorKind::corrupt, "dns: answers missing"};
  std::vector<Answer> answers;
  for (std::size_t index = 0; index < count; ++index) {
    ASSIGN_OR_RETURN(Answer answer, read_answer(reader));
    answers.push_back(std::move(answer));
  }
  RETURN_IF_ERROR(reader.finish());
  return answers;
}

}  // namespace mailhold::dns
