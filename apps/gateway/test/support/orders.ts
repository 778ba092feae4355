import { descriptorSet } from "@plumbline/contracts";
import { readDescriptors } from "@plumbline/transcoding";

/** The descriptors of Plumbline's own protos. */
export const plumbline = readDescriptors(descriptorSet);
