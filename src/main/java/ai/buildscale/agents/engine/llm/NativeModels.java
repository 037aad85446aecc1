package ai.buildscale.agents.engine.llm;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import io.quarkus.runtime.annotations.RegisterForReflection;

/**
 * Registers for reflection the classes that LangChain4j's clients write and read as JSON, which a native image would
 * leave out: Ollama's requests and answers, and the naming strategy of their fields and OpenAI's (whose own classes its
 * jar registers).
 */
@RegisterForReflection(
        targets = PropertyNamingStrategies.SnakeCaseStrategy.class,
        classNames = {
            "dev.langchain4j.model.ollama.FormatSerializer",
            "dev.langchain4j.model.ollama.Function",
            "dev.langchain4j.model.ollama.Function$Builder",
            "dev.langchain4j.model.ollama.FunctionCall",
            "dev.langchain4j.model.ollama.FunctionCall$Builder",
            "dev.langchain4j.model.ollama.Message",
            "dev.langchain4j.model.ollama.Message$Builder",
            "dev.langchain4j.model.ollama.OllamaChatRequest",
            "dev.langchain4j.model.ollama.OllamaChatRequest$Builder",
            "dev.langchain4j.model.ollama.OllamaChatResponse",
            "dev.langchain4j.model.ollama.OllamaChatResponse$Builder",
            "dev.langchain4j.model.ollama.Options",
            "dev.langchain4j.model.ollama.Options$Builder",
            "dev.langchain4j.model.ollama.Parameters",
            "dev.langchain4j.model.ollama.Parameters$Builder",
            "dev.langchain4j.model.ollama.Role",
            "dev.langchain4j.model.ollama.Tool",
            "dev.langchain4j.model.ollama.Tool$Builder",
            "dev.langchain4j.model.ollama.ToolCall",
            "dev.langchain4j.model.ollama.ToolCall$Builder",
        })
final class NativeModels {
    private NativeModels() {}
}
