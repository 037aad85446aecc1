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
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ConstantDesc;
import java.lang.reflect.AccessFlag;
import java.net.URL;
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
     * @param isPart whether it is made for others to compose with: static, and returns text
     * @param composes whether it puts a statement together
     * @param calls whom it calls
     */
    private record Method(String name, boolean isPart, boolean composes, Set<String> calls) {
        boolean isInitializer() {
            return name.endsWith(".<clinit>()V");
        }
    }

    private static List<Method> methods() throws IOException {
        List<Method> methods = new ArrayList<>();
        for (JavaClass type : StatementsTest.CLASSES) {
            URL file = type.getSource().orElseThrow().getUri().toURL();
            try (InputStream bytes = file.openStream()) {
                ClassModel model = ClassFile.of().parse(bytes.readAllBytes());
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
                    case FieldInstruction field ->
                        seen[0] |= StatementsTest.isStatement(
                                field.owner().asInternalName(), field.name().stringValue());
                    case InvokeInstruction call -> {
                        String type = call.owner().asInternalName();
                        String name = call.name().stringValue();
                        calls.add(type + "." + name + call.type().stringValue());
                        seen[1] |= (type.startsWith("java/lang/String") && PUTS_TOGETHER.contains(name))
                                || type.endsWith("/SqlText");
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
        String name = method.methodName().stringValue();
        String type = method.methodType().stringValue();
        boolean isPart = method.flags().has(AccessFlag.STATIC)
                && type.endsWith(")Ljava/lang/String;")
                && !name.startsWith("lambda$");
        return new Method(owner + "." + name + type, isPart, seen[0] && seen[1], calls);
    }

    private static boolean isStatement(ConstantDesc constant) {
        return constant instanceof String text
                && StatementsTest.STATEMENT.matcher(text).matches()
                && !StatementsTest.isConstant(text);
    }

    @Test
    void onlyConstantsAreComposed() throws IOException {
        List<Method> methods = methods();
        Set<String> parts = new TreeSet<>();
        Set<String> late = new TreeSet<>();
        for (Method method : methods) {
            if (method.composes() && !method.isInitializer()) {
                (method.isPart() ? parts : late).add(method.name());
            }
        }
        for (Method method : methods) {
            method.calls().stream()
                    .filter(called -> parts.contains(called) && !method.isInitializer())
                    .forEach(called -> late.add(method.name() + " calls " + called));
        }

        assertThat(parts).anyMatch(part -> part.startsWith("ai/buildscale/agents/turn/TurnClaim.begin("));
        assertThat(late).isEmpty();
    }
}
