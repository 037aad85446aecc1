package ai.buildscale.agents.golden;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeElement;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.ConstantInstruction;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ConstantDesc;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Statements are composed when their class is loaded, into constants: what a method put together later would be none of
 * those that {@link StatementsTest} finds.
 */
class ComposersTest {
    private static final Set<String> PUTS_TOGETHER =
            Set.of("formatted", "format", "replace", "concat", "join", "append");

    /**
     * @param composes whether it puts a statement together
     * @param calls whom it calls
     */
    private record Method(String name, boolean composes, Set<String> calls) {
        boolean isInitializer() {
            return name.endsWith(".<clinit>()V");
        }
    }

    private static List<Method> methods() throws IOException {
        List<Method> methods = new ArrayList<>();
        for (JavaClass type : StatementsTest.CLASSES) {
            try (InputStream file =
                    type.getSource().orElseThrow().getUri().toURL().openStream()) {
                ClassModel model = ClassFile.of().parse(file.readAllBytes());
                String owner = model.thisClass().asInternalName();
                model.methods().forEach(method -> methods.add(method(owner, method)));
            }
        }
        return methods;
    }

    private static Method method(String owner, MethodModel method) {
        Set<String> calls = new HashSet<>();
        boolean[] seen = new boolean[2];
        method.code().ifPresent(code -> {
            for (CodeElement element : code) {
                switch (element) {
                    case ConstantInstruction constant -> seen[0] |= isStatement(constant.constantValue());
                    case InvokeInstruction call -> {
                        calls.add(call.owner().asInternalName() + "."
                                + call.name().stringValue() + call.type().stringValue());
                        seen[1] |= call.owner().asInternalName().startsWith("java/lang/String")
                                && PUTS_TOGETHER.contains(call.name().stringValue());
                    }
                    case InvokeDynamicInstruction concat
                    when concat.name().equalsString("makeConcatWithConstants") -> {
                        seen[0] |= concat.bootstrapArgs().stream().anyMatch(ComposersTest::isStatement);
                        seen[1] = true;
                    }
                    default -> {}
                }
            }
        });
        return new Method(
                owner + "." + method.methodName().stringValue()
                        + method.methodType().stringValue(),
                seen[0] && seen[1],
                calls);
    }

    private static boolean isStatement(ConstantDesc constant) {
        return constant instanceof String text
                && StatementsTest.STATEMENT.matcher(text).matches()
                && !StatementsTest.isConstant(text);
    }

    @Test
    void onlyConstantsAreComposed() throws IOException {
        List<Method> methods = methods();
        Set<String> composers = new TreeSet<>();
        methods.stream()
                .filter(Method::composes)
                .filter(m -> !m.isInitializer())
                .forEach(m -> composers.add(m.name()));

        Set<String> late = new TreeSet<>();
        for (Method method : methods) {
            method.calls().stream()
                    .filter(called -> composers.contains(called) && !method.isInitializer())
                    .forEach(called -> late.add(method.name() + " calls " + called));
        }

        assertThat(composers).anyMatch(composer -> composer.startsWith("ai/buildscale/agents/chat/TurnSql.begin("));
        assertThat(late).isEmpty();
    }
}
